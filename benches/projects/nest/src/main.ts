import { NestFactory } from "@nestjs/core";
import { AppModule } from "./app.module";

async function main() {
  const app = await NestFactory.create(AppModule, { logger: false });
  await app.listen(0, "127.0.0.1");
  const answer = await (await fetch(await app.getUrl())).text();
  await app.close();
  if (answer !== "hello") throw new Error(answer);
  console.log("the server answers");
}

main();
