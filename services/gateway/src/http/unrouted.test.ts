import { describe, expect, it } from "vitest";
import { fakeGateway } from "../testing/fake-gateway.js";
import { turnsDuring } from "../testing/turns-during.js";
import { whyAbsent } from "./absent-endpoints.js";
import { OPERATIONS } from "./openapi/operations.js";

const CHAT = "/v1/chat/completions";
const messages = [{ role: "user", content: "hi" }];

describe("a path that does not exist", () => {
  it.each([
    ["/v1/chat/completion", "POST /v1/chat/completions"],
    ["/chat/completions", "POST /v1/chat/completions"],
    ["/v1/v1/chat/completions", "POST /v1/chat/completions"],
    ["/api/v1/chat/completions", "POST /v1/chat/completions"],
    ["/completions", "POST /v1/completions"],
    ["/v1/message", "POST /v1/messages"],
    ["/v1/messages/count-tokens", "POST /v1/messages/count_tokens"],
    ["/v1/messages/batch", "POST /v1/messages"],
    ["/completion", "POST /v1/completions"],
    ["/v1/response/resp_0123456789abcdef0123456789abcdef", "GET /v1/responses/{id}"],
    ["/v1/model", "GET /v1/models"],
    ["/v1/file/file-1/content", "GET /v1/files/{id}/content"],
    ["/healthz", "GET /health"],
    ["/v1/tokenize", "POST /tokenize"],
  ])("%s: the refusal names %s", async (path, near) => {
    const response = await fakeGateway().app.inject({ method: "POST", url: `${path}?x=1` });
    expect(response.statusCode).toBe(404);
    const { error } = response.json();
    expect(error.message).toBe(`There is nothing at ${path}; the nearest endpoint is ${near}, and /docs lists all.`);
  });

  it.each(["/nothing/at/all", `/${"x".repeat(10_000)}`])("%.20s: is like no other", async (path) => {
    const response = await fakeGateway().app.inject({ method: "POST", url: path });
    expect(response.statusCode).toBe(404);
    expect(response.json().error.message).toMatch(/; \/docs lists the endpoints\.$/);
  });
});

describe("a path of another API", () => {
  it.each([
    ["/v1/audio/speech", /: the model reads and writes text, not sound\./],
    ["/v1/audio/transcriptions/", /sound/],
    ["/v1/images/generations", /pictures/],
    ["/v1/fine_tuning/jobs", /: Rhone trains no models; rhone model convert /],
    ["/v1/assistants", /POST \/v1\/responses/],
    ["/v1/threads/thread_1/runs", /POST \/v1\/responses/],
    ["/v1/agents/completions", /POST \/v1\/chat\/completions/],
    ["/v1/conversations", /previous_response_id/],
    ["/v1/responses/compact", /: no response is compacted; truncation: auto /],
    ["/v1//responses//compact/", /no response is compacted/],
    ["/v1/vector_stores", /no tools or stores/],
    ["/v1/moderations", /judges none/],
    ["/v1/chat/moderations", /judges none/],
    ["/v1/rerank", /POST \/v1\/embeddings gives vectors/],
    ["/rerank", /POST \/v1\/embeddings gives vectors/],
    ["/v2/rerank", /POST \/v1\/embeddings gives vectors/],
    ["/v1/uploads/upload_1/parts", /POST \/v1\/files/],
    ["/v1/organization/usage/completions", /rhone keys create/],
    ["/v1/messages/batches", /POST \/v1\/batches/],
    ["/v1/complete", /send POST \/v1\/messages\./],
    ["/v1/engines", /GET \/v1\/models\./],
    ["/v1/engines/davinci", /GET \/v1\/models\/\{model\}\./],
    ["/v1/engines/davinci/completions", /send POST \/v1\/completions with "model" in its body\./],
    ["/openai/deployments/gpt-4o/chat/completions", /send POST \/v1\/chat\/completions with "model" in its body\./],
    ["/openai/deployments/whisper/audio/transcriptions", /sound/],
    ["/infill", /POST \/v1\/fim\/completions/],
    ["/props", /GET \/status/],
    ["/api/generate", /send POST \/v1\/completions\./],
    ["/api/chat", /send POST \/v1\/chat\/completions\./],
    ["/api/tags", /GET \/v1\/models\./],
    ["/v1beta/models/gemini-2.5-flash:generateContent", /Google's shape/],
  ])("%s: the refusal says why it is not here, and what is", async (path, why) => {
    const response = await fakeGateway().app.inject({ method: "POST", url: `${path}?x=1`, payload: { a: 1 } });
    const error = path.startsWith("/v1/messages") ? response.json().error : response.json();
    expect(response.statusCode).toBe(404);
    expect(error.message).toMatch(why);
    expect(error.message.startsWith(`${path} is not an endpoint of Rhone: `)).toBe(true);
    expect(error.message.endsWith(" /docs lists all endpoints.")).toBe(true);
    if (error.code !== undefined) expect(error.code).toBe("unsupported_endpoint");
  });

  it("is no path of this one", () => {
    for (const key of Object.keys(OPERATIONS))
      expect([key, whyAbsent(key.split(" ")[1] ?? "")]).toEqual([key, undefined]);
  });
});

it.each([
  [`/v1/responses/${"a".repeat(600)}`, 404, "The path has an id of more than 100 characters"],
  [`/v1/batches/${"a".repeat(101)}/cancel`, 404, "The path has an id of more than 100 characters"],
  ["/v1/models/%zz", 400, "The path is not percent-encoded UTF-8"],
  ["/v1/files/%ff", 400, "The path is not percent-encoded UTF-8"],
])("%.30s: no part of it is repeated", async (url, status, message) => {
  const response = await fakeGateway().app.inject(url);
  expect([response.statusCode, response.json().message]).toEqual([status, expect.stringContaining(message)]);
  expect(response.body.length).toBeLessThan(400);
});

describe("the same endpoint", () => {
  it.each([`${CHAT}/`, "/v1//chat/completions", "//v1/chat//completions/", `${CHAT}/?a=1`])("is at %s", async (url) => {
    const response = await fakeGateway().post(url, { messages });
    expect([response.statusCode, response.json().object]).toEqual([200, "chat.completion"]);
  });

  it.each(["/v1/models/", "/v1//models/tiny", "/v1/models/tiny/", "/health/", "/docs/"])("is at %s", async (url) => {
    expect((await fakeGateway().app.inject(url)).statusCode).toBe(200);
  });

  it("counts against the same limits, and needs the same key", async () => {
    const response = await fakeGateway(undefined, "ready", { keys: [] }).post(`/${CHAT}/`, { messages });
    expect(response.statusCode).toBe(401);
  });
});

describe("OPTIONS", () => {
  it.each([
    [CHAT, "POST, OPTIONS"],
    ["/v1/files", "GET, HEAD, POST, OPTIONS"],
    ["/v1/files/file-1", "GET, HEAD, DELETE, OPTIONS"],
    ["/v1/models/tiny/", "GET, HEAD, OPTIONS"],
    ["/v1/responses/input_tokens", "POST, OPTIONS"],
    ["//v1/responses//input_tokens/", "POST, OPTIONS"],
    ["/v1/responses/resp_1", "GET, HEAD, DELETE, OPTIONS"],
  ])("%s says what it takes, with no key", async (url, allow) => {
    const { app } = fakeGateway(undefined, "ready", { keys: [] });
    const response = await app.inject({ method: "OPTIONS", url });
    expect([response.statusCode, response.headers.allow, response.body]).toEqual([204, allow, ""]);
  });

  it("of nothing is a 404", async () => {
    expect((await fakeGateway().app.inject({ method: "OPTIONS", url: "/v1/nothing" })).statusCode).toBe(404);
  });

  it("of a browser that asks for another request is CORS's", async () => {
    const headers = { origin: "https://page.example", "access-control-request-method": "POST" };
    const response = await fakeGateway().app.inject({ method: "OPTIONS", url: CHAT, headers });
    expect(response.headers["access-control-allow-methods"]).toContain("POST");
  });
});

describe("a method that a path does not take", () => {
  it.each<[string, string, string, object]>([
    ["QUERY", "/health", "GET, HEAD", {}],
    ["QUERY", "/v1/models/tiny", "GET, HEAD", {}],
    ["QUERY", CHAT, "POST", { "content-type": "application/json" }],
    ["POST", "/v1/models", "GET, HEAD", { "content-type": "text/plain" }],
    ["PUT", "/v1/files", "GET, HEAD, POST", { "content-type": "application/json" }],
    ["GET", "/v1/responses/input_tokens", "POST", {}],
    ["HEAD", "/v1/responses/input_tokens", "POST", {}],
    ["DELETE", "/v1/responses/input_tokens", "POST", {}],
  ])("%s %s is refused with those that it takes, whatever its body", async (method, url, takes, headers) => {
    const asked = { method: method as "GET", url, headers: { ...headers }, payload: method === "HEAD" ? "" : "{bad" };
    const response = await fakeGateway().app.inject(asked);
    expect([response.statusCode, response.headers.allow]).toEqual([405, `${takes}, OPTIONS`]);
    if (method !== "HEAD") expect(response.json().error.message).toBe(`${url} takes ${takes}, not ${method}.`);
  });
});

it.each(["/v1/models", "/health", "/v1/files", "/status", "/openapi.json"])(
  "HEAD %s is GET without a body",
  async (url) => {
    const { app } = fakeGateway();
    const [head, get] = [await app.inject({ method: "HEAD", url }), await app.inject(url)];
    expect([head.statusCode, head.body, head.headers["content-type"]]).toEqual([200, "", get.headers["content-type"]]);
  },
);

it("says which methods a path takes", async () => {
  const response = await fakeGateway().app.inject({ method: "PUT", url: "/v1/files" });
  expect([response.statusCode, response.headers.allow]).toEqual([405, "GET, HEAD, POST, OPTIONS"]);
  expect(response.json().error.message).toBe("/v1/files takes GET, HEAD, POST, not PUT.");
});

describe("a request without a body", () => {
  const types = ["application/json", "text/plain", "application/x-www-form-urlencoded"];
  const requests = [
    ["DELETE", "/v1/files/file-0"],
    ["POST", "/v1/batches/batch_0/cancel"],
    ["POST", "/v1/batch/jobs/batch_0/cancel"],
    ["DELETE", "/v1/streams/none"],
  ] as const;
  it.each(requests.flatMap(([method, url]) => types.map((type) => [method, url, type] as const)))(
    "is taken where none is needed: %s %s with the content type %s",
    async (method, url, type) => {
      const response = await fakeGateway().app.inject({ method, url, headers: { "content-type": type } });
      expect([response.statusCode, response.json().error.code]).toEqual([404, "not_found"]);
    },
  );

  it("is refused where one is needed", async () => {
    const { app } = fakeGateway();
    const headers = { "content-type": "application/json" };
    const response = await app.inject({ method: "POST", url: CHAT, headers });
    expect(response.json().error.message).toBe("The body is empty; send a JSON object.");
  });
});

it.each([
  [undefined, "The body has no content-type; send content-type: application/json (multipart/form-data for a file)."],
  [
    "text/xml",
    "The body has the content-type text/xml; send content-type: application/json (multipart/form-data for a file).",
  ],
  ["json", "The body has the content-type json; send content-type: application/json (multipart/form-data for a file)."],
])("a body with the content type %s is refused by it", async (type, message) => {
  const headers = type === undefined ? {} : { "content-type": type };
  const response = await fakeGateway().app.inject({ method: "POST", url: CHAT, headers, payload: Buffer.from("{}") });
  expect([response.statusCode, response.json().error.message]).toEqual([415, message]);
});

it.each(["GET", "OPTIONS"] as const)("300 long paths at once (%s) are refused in many turns", async (method) => {
  const { app } = fakeGateway();
  await app.ready();
  const ask = (i: number) => app.inject({ method, url: `/v1/${i}/respons/${"cancel/inputitems".repeat(11)}` });
  const { result, turns } = await turnsDuring(() => Promise.all(Array.from({ length: 300 }, (_, i) => ask(i))));
  expect(new Set(result.map(({ statusCode }) => statusCode))).toEqual(new Set([404]));
  expect(turns).toBeGreaterThan(4);
});

it.each(["/:a(", "/:(((", "/v1/%zz", "/v1/:x([a-z]+)*"])("%s is a path like others", async (url) => {
  const response = await fakeGateway().app.inject({ method: "POST", url });
  expect(response.statusCode).toBeGreaterThanOrEqual(400);
  expect(response.statusCode).toBeLessThan(500);
});
