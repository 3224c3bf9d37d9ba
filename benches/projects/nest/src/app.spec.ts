import { Test } from "@nestjs/testing";
import { AppController, AppModule } from "./app.module";

test("says hello", async () => {
  const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
  expect(module.get(AppController).hello()).toBe("hello");
});
