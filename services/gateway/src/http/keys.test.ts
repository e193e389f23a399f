import { newApiKey, SECRET_HEADER } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { CLUSTER_SECRET, fakeGateway } from "../testing/fake-gateway.js";

const limits = { requestsPerMinute: null, tokensPerMinute: null };
const team = newApiKey({ name: "team", ...limits });
const boss = newApiKey({ name: "boss", ...limits, isAdmin: true });
const bearer = ({ secret }: { readonly secret: string }) => ({ authorization: `Bearer ${secret}` });
const guarded = () => fakeGateway(undefined, "ready", { keys: [team.key, boss.key] });

describe("/v1/keys", () => {
  it("lists the keys without what could be used", async () => {
    const { app } = guarded();
    const { statusCode, body, json } = await app.inject({ url: "/v1/keys", headers: bearer(boss) });
    expect(statusCode).toBe(200);
    expect(json().data).toMatchObject([
      { name: "team", admin: false },
      { name: "boss", admin: true },
    ]);
    expect(body).not.toMatch(new RegExp(`${team.key.digest}|digest|rhone_sk_`));
  });

  it("makes a key that works, with limits of its own", async () => {
    const { app, post } = guarded();
    const order = { name: "new", requests_per_minute: 5, tokens_per_minute: 0 };
    const made = await post("/v1/keys", order, bearer(boss));
    expect(made.json()).toMatchObject({
      ...order,
      object: "key",
      admin: false,
      secret: expect.stringMatching(/^rhone_sk_/),
    });
    const answer = await app.inject({ url: "/v1/models", headers: bearer(made.json()) });
    expect(answer.statusCode).toBe(200);
  });

  it("revokes one key, by its id alone", async () => {
    const { app } = guarded();
    const revoke = (id: string) => app.inject({ method: "DELETE", url: `/v1/keys/${id}`, headers: bearer(boss) });
    expect((await revoke("team")).statusCode).toBe(404);
    expect((await revoke(team.key.id)).json()).toEqual({ id: team.key.id, object: "key", deleted: true });
    const { data } = (await app.inject({ url: "/v1/keys", headers: bearer(boss) })).json();
    expect(data.map(({ name }: { name: string }) => name)).toEqual(["boss"]);
  });

  it.each([
    ["a key that is no admin's", guarded, bearer(team), 403],
    ["no key", guarded, {}, 401],
    ["no key where none is needed", fakeGateway, {}, 403],
    ["the cluster's secret where no key is needed", fakeGateway, { [SECRET_HEADER]: CLUSTER_SECRET }, 200],
  ])("with %s", async (_, open, headers, status) => {
    const { app, post } = open();
    expect((await app.inject({ url: "/v1/keys", headers: headers as Record<string, string> })).statusCode).toBe(status);
    const made = await post("/v1/keys", { name: "mine", admin: true }, headers as Record<string, string>);
    expect(made.statusCode).toBe(status);
    if (status === 403) expect(made.json().error.code).toBe("forbidden");
  });

  it.each([{}, { name: "no spaces" }, { name: "a", requests_per_minute: -1 }])("refuses %j", async (order) => {
    expect((await guarded().post("/v1/keys", order, bearer(boss))).statusCode).toBe(400);
  });
});

describe("POST /v1/plan", () => {
  it("plans the served model", async () => {
    const { statusCode, json } = await fakeGateway().post("/v1/plan", { workers: 2, memory: 1e8 });
    expect([statusCode, json().model, json().stages.length]).toEqual([200, "tiny", 2]);
  });

  it.each([
    [{ workers: 0, memory: 1e8 }, 400, "invalid_value"],
    [{ workers: 1, memory: 10 }, 400, "not_enough_memory"],
    [{ workers: 1, memory: 1e8, model: "none" }, 404, "model_not_found"],
  ])("refuses %j", async (asked, status, code) => {
    const answer = await fakeGateway().post("/v1/plan", asked);
    expect([answer.statusCode, answer.json().error.code]).toEqual([status, code]);
  });
});
