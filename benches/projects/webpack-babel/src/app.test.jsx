import { shallow, configure } from "enzyme";
import Adapter from "enzyme-adapter-react-16";
import React from "react";
import App from "./app";

configure({ adapter: new Adapter() });

test("says hello", () => {
  expect(shallow(<App />).text()).toBe("hello");
});
