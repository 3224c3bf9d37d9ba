import { expect, test } from "vitest";
import { greet } from "./index.js";

test("it greets", () => expect(greet("you")).toBe("Hello, you"));
