import { mount } from "@vue/test-utils";
import { expect, test } from "vitest";
import App from "./App.vue";

test("says hello", () => {
  expect(mount(App).text()).toBe("hello vue");
});
