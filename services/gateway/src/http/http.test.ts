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

it("says in the OpenAPI document which content types bodies and answers have", async () => {
  const { app } = fakeGateway();
  const { paths } = (await app.inject("/openapi.json")).json();
  const answers = (path: string, method: string) => Object.keys(paths[path][method].responses["200"].content ?? {});
  const bodies = (path: string) => Object.keys(paths[path].post.requestBody?.content ?? {});
  expect(answers("/v1/chat/completions", "post")).toEqual(["application/json", "text/event-stream"]);
  expect(answers("/v1/completions", "post")).toEqual(["application/json", "text/event-stream"]);
  expect(answers("/v1/embeddings", "post")).toEqual(["application/json"]);
  expect(answers("/v1/streams/{id}", "get")).toEqual(["text/event-stream"]);
  expect(answers("/v1/files/{id}/content", "get")).toEqual(["application/octet-stream"]);
  expect(answers("/metrics", "get")).toEqual(["text/plain"]);
  expect(bodies("/v1/files")).toEqual(["multipart/form-data"]);
  expect(bodies("/v1/batches")).toEqual(["application/json"]);
  const form = paths["/v1/files"].post.requestBody.content["multipart/form-data"].schema;
  expect(form.required).toEqual(["purpose", "file"]);
  expect(form.properties.file).toMatchObject({ type: "string", format: "binary" });
  const operations = Object.values(paths).flatMap((methods) => Object.values(methods as object));
  for (const { summary, responses } of operations) {
    expect(Object.keys(responses.default.content)).toEqual(["application/json"]);
    expect(summary).not.toMatch(/[`*_]{2}|`/);
  }
});

it("shows a page with links at /, and the page to try requests as its own", async () => {
  const { app } = fakeGateway();
  const { statusCode, headers, body } = await app.inject("/");
  expect([statusCode, headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
  const links = [...body.matchAll(/href="(\/[^"]*)"/g)].map(([, path = ""]) => path);
  expect(links).toEqual(["/console", "/docs", "/openapi.json", "/v1/models", "/ready", "/status", "/metrics"]);
  for (const path of links) expect((await app.inject(path)).statusCode).toBeLessThan(400);
  expect((await app.inject({ method: "HEAD", url: "/" })).statusCode).toBe(200);
  expect((await app.inject({ method: "POST", url: "/" })).statusCode).toBe(405);
  const { headers: policies, body: docs } = await app.inject("/docs/");
  const policy = /^default-src 'none'; script-src 'self'; .*frame-ancestors 'none'$/;
  expect(policies["content-security-policy"]).toMatch(policy);
  expect(docs).toContain("<title>Rhone: the API</title>");
  const own = [...docs.matchAll(/href="\.(\/static\/theme\/[^"]*)"/g)].map(([, path]) => `/docs${path}`);
  expect(own).toHaveLength(2);
  for (const path of own) expect((await app.inject(path)).statusCode).toBe(200);
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
