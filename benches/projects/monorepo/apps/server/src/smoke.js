import { greet } from "@mono/util";
import Fastify from "fastify";

const app = Fastify();
app.get("/", async () => greet("you"));
const answer = await app.inject("/");
if (answer.body !== "Hello, you") throw new Error(answer.body);
