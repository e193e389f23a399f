import { fastify } from "fastify";
import { expect, it } from "vitest";
import { costly } from "../testing/spin.js";
import { turnsDuring } from "../testing/turns-during.js";
import { writeJsonInTurns } from "./json-in-turns.js";

it("lets the event loop turn while an answer is written, and changes nothing of it", async () => {
  const app = fastify();
  writeJsonInTurns(app);
  app.get("/", async () => ({ data: costly(2000) }));
  app.get("/text", async () => "text");
  const { result, turns } = await turnsDuring(() => app.inject("/"));
  expect(result.headers["content-type"]).toBe("application/json; charset=utf-8");
  expect(result.json()).toEqual({ data: Array.from({ length: 2000 }, (_, token) => ({ token })) });
  expect(turns).toBeGreaterThanOrEqual(3);
  expect((await app.inject("/text")).body).toBe("text");
});
