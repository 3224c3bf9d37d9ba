import React from "react";
import { render } from "react-dom";
import App from "./app";
import "./app.css";

render(<App />, document.body);
