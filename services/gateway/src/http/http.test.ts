import { expect, it } from "vitest";
import { fakeGateway } from "../testing/fake-gateway.js";
import * as generated from "./openapi/generation-schemas.js";
import { OPERATIONS } from "./openapi/operations.js";
import * as schemas from "./openapi/response-schemas.js";

const messages = [{ role: "user", content: "hi" }];

it("echoes a request id, and makes one where none or a bad one came", async () => {
  const { app } = fakeGateway();
  const idFor = async (headers: Record<string, string>, url = "/health") =>
    (await app.inject({ url, headers })).headers["x-request-id"];
  expect(await idFor({ "x-request-id": "mine-1" })).toBe("mine-1");
  expect(await idFor({ "x-request-id": "mine-1" }, "/nothing")).toBe("mine-1");
  expect(await idFor({})).toMatch(/^[0-9a-f]{32}$/);
  expect(await idFor({ "x-request-id": "a b" })).toMatch(/^[0-9a-f]{32}$/);
});

it("lets the pages of configured origins in", async () => {
  const { app } = fakeGateway();
  const allowed = async (origin: string) => {
    const headers = { origin, "access-control-request-method": "POST" };
    const response = await app.inject({ method: "OPTIONS", url: "/v1/chat/completions", headers });
    return response.headers["access-control-allow-origin"];
  };
  expect(await allowed("https://page.example")).toBe("https://page.example");
  expect(await allowed("https://other.example")).toBeUndefined();
});

it("documents every route, and every route answers as documented", async () => {
  const { app, post } = fakeGateway();
  const document = (await app.inject("/openapi.json")).json();
  expect(document.openapi).toBe("3.1.0");
  const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const paths = Object.entries(OPERATIONS).map(([key, { path }]) =>
    (path === undefined ? key : `${key.split(" ")[0]} ${path}`).replace(/:(\w+)/g, "{$1}"),
  );
  expect(documented.sort()).toEqual(paths.sort());
  const routes = app.printRoutes({ commonPrefix: false }).match(/\S+ \([A-Z, ]+\)/g) ?? [];
  const own = routes.filter((route) => !/docs|static|openapi|^\* /.test(route));
  expect(own.length).toBeGreaterThanOrEqual(new Set(paths.map((path) => path.split(" ")[1])).size - 2);

  const get = async (url: string) => (await app.inject(url)).json();
  generated.chatCompletionSchema.parse((await post("/v1/chat/completions", { messages })).json());
  generated.completionSchema.parse((await post("/v1/completions", { prompt: "a", logprobs: 1 })).json());
  schemas.errorSchema.parse((await post("/v1/completions", {})).json());
  schemas.modelListSchema.parse(await get("/v1/models"));
  schemas.modelSchema.parse(await get("/v1/models/tiny"));
  schemas.tokenizerInfoSchema.parse(await get("/tokenizer_info"));
  expect((await app.inject("/docs/")).headers["content-type"]).toContain("text/html");
});

it("turns text into tokens and back, in the shapes of vLLM and of llama-server", async () => {
  const { post } = fakeGateway();
  const tokens = schemas.tokenizeResponseSchema.parse(
    (await post("/tokenize", { prompt: "ab", return_token_strs: true })).json(),
  );
  expect(tokens).toEqual({ count: 3, max_model_len: 64, tokens: [32, 97, 98], token_strs: [" ", "a", "b"] });
  expect((await post("/tokenize", { messages })).json().tokens).toEqual([1, 104, 105]);
  const pieces = (await post("/tokenize", { content: "a", with_pieces: true })).json().tokens;
  expect(pieces).toEqual([
    { id: 32, piece: " " },
    { id: 97, piece: "a" },
  ]);
  const text = (await post("/detokenize", { tokens: [32, 97, 98] })).json();
  expect(schemas.detokenizeResponseSchema.parse(text)).toEqual({ prompt: "ab", content: "ab" });
  expect((await post("/tokenize", { prompt: "a", model: "x" })).statusCode).toBe(404);
});
