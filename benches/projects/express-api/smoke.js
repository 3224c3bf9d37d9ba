const express = require("express");
const request = require("supertest");

for (const middleware of ["compression", "cookie-parser", "cors", "helmet", "mongoose", "winston", "zod"]) require(middleware);
const app = express().use(require("body-parser").json()).post("/echo", (req, res) => res.json(req.body));
request(app)
  .post("/echo")
  .send({ there: true })
  .expect(200, { there: true })
  .then(() => console.log("the server answers"));
