import React from "react";
import { render } from "react-dom";
import { act } from "react-dom/test-utils";
import App from "./app";

test("says hello", () => {
  const root = document.createElement("div");
  act(() => {
    render(<App />, root);
  });
  expect(root.textContent).toBe("hello");
});
