import type { ClusterStatus } from "@rhone/common";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { status } from "../testing/coordinator-status.js";
import { fakeGrammars, fakeSummary } from "../testing/fake-gateway.js";
import { fakeModel } from "../testing/fake-model.js";
import { readyCoordinator, ServedModels } from "./served-models.js";

const MODEL = status("").model;

/** A coordinator of the model with this name; its file has the name for a fingerprint unless another is given. */
const serving = (coordinator: string, name: string, fingerprint = name, changes: Partial<ClusterStatus> = {}) =>
  status(coordinator, { model: { ...MODEL, name, fingerprint }, ...changes });

const model = (name: string, aliases: readonly string[] = []) => ({
  text: fakeModel({ name, aliases, fingerprint: name }),
  grammars: fakeGrammars,
  summary: fakeSummary,
});

const served = (
  names: readonly string[],
  coordinators: readonly ClusterStatus[] = [],
  aliases: readonly string[] = [],
) =>
  new ServedModels(
    names.map((name, index) => model(name, index === 0 ? aliases : [])),
    { coordinators: async () => coordinators },
  );

const found = async (models: ServedModels, asked?: string) => {
  const { text, coordinators } = await models.find(asked);
  return [text.name, ...coordinators.map(({ coordinator }) => coordinator)];
};

it("a request that is to be computed waits for Redis, one that looks does not", async () => {
  const asked: unknown[] = [];
  const coordinators: ConstructorParameters<typeof ServedModels>[1]["coordinators"] = async (options) => {
    asked.push(options);
    return [serving("1", "a")];
  };
  const models = new ServedModels([model("a")], { coordinators });
  await models.find("a");
  await models.all();
  await models.findReady("a", "");
  expect(asked).toEqual([undefined, undefined, { patient: true }]);
});

describe("the model of a request", () => {
  const coordinators = [serving("1", "b"), serving("2", "a"), serving("3", "other", "b"), serving("4", "foreign")];
  const models = served(["a", "b"], coordinators, ["small"]);

  it.each<[string | undefined, readonly string[]]>([
    [undefined, ["a", "2"]],
    ["a", ["a", "2"]],
    ["small", ["a", "2"]],
    ["b", ["b", "1", "3"]],
    // A coordinator's own name for a file that the gateway has.
    ["other", ["b", "3", "1"]],
  ])("%s is %j", async (asked, expected) => expect(await found(models, asked)).toEqual(expected));

  it("that nobody serves is missing, with the names there are", async () => {
    await expect(models.find("huge")).rejects.toMatchObject({
      code: "MODEL_NOT_FOUND",
      message: "The model `huge` does not exist; this server has `a`, `small`, `b`.",
      param: "model",
    });
  });

  it("of which the gateway has no tokenizer is missing here", async () => {
    const message = "The model `foreign` is served, but this gateway lacks its file (--models); this server has `a`.";
    await expect(served(["a"], coordinators).find("foreign")).rejects.toMatchObject({ message });
  });

  it("is one that a coordinator calls by an alias", async () => {
    expect(await found(served(["a"], [serving("1", "small", "x")], ["small"]), "a")).toEqual(["a", "1"]);
  });

  it("is found without Redis by a name that the gateway has", async () => {
    const away = new ServedModels([model("a"), model("b")], { coordinators: () => Promise.reject(new Error("away")) });
    expect((await away.textOf("b")).name).toBe("b");
    expect((await away.textOf(undefined)).name).toBe("a");
    await expect(away.textOf("c")).rejects.toThrow("away");
  });
});

describe("the model of a record", () => {
  it("is the one that its answer names", async () => {
    expect((await served(["a", "b"]).textOfRecord("b")).name).toBe("b");
    await expect(served(["a", "b"]).textOfRecord("gone")).rejects.toMatchObject({ code: "MODEL_NOT_FOUND" });
  });

  it("is the only one, whatever it was called before", async () => {
    expect((await served(["a"]).textOfRecord("gone")).name).toBe("a");
  });
});

it("all names by which requests may ask are the gateway's and its coordinators'", async () => {
  const models = served(["a", "b"], [serving("1", "other", "b"), serving("2", "foreign")], ["small"]);
  expect([...(await models.askable())]).toEqual(["a", "small", "b", "other"]);
});

it("two models with a name in common are refused", () => {
  const refusal = { code: "INVALID_CONFIG", message: expect.stringContaining("Two models are called b;") };
  expect(() => served(["a", "b"], [], ["b"])).toThrow(expect.objectContaining(refusal));
  expect(() => served(["a"], [], ["a", "small"])).not.toThrow();
});

describe("the coordinator of a request", () => {
  const ready = (coordinators: readonly ClusterStatus[]) => readyCoordinator({ ...model("tiny"), coordinators });
  const context = (contextLength: number) => ({ model: { ...MODEL, contextLength } });

  it("is the first that is ready", () => {
    expect(ready([status("a", { state: "loading" }), status("b"), status("c")]).coordinator).toBe("b");
  });

  it("is the one with the shortest context, as any of them may run its jobs", () => {
    expect(ready([status("a", context(64)), status("b", context(32)), status("c", context(64))]).coordinator).toBe("b");
  });

  it("is judged by none that has another queue", () => {
    expect(ready([status("a", context(64)), serving("b", "other", "abc", { state: "ready" })]).coordinator).toBe("a");
  });

  it.each<[string, ClusterStatus[], RegExp]>([
    ["none runs", [], /^The model tiny is not ready \(no coordinator is running\)/],
    ["one is loading", [status("a", { state: "loading" })], /\(coordinator a: loading\); try again/],
    [
      "each has its reason",
      [
        status("a", { state: "waiting_for_workers", reason: "waiting for 2 of 3 workers" }),
        status("b", { state: "failed", reason: "OUT_OF_MEMORY: Worker w has 1 MiB." }),
      ],
      /\(coordinator a: waiting for 2 of 3 workers; coordinator b: OUT_OF_MEMORY: Worker w has 1 MiB\); try/,
    ],
  ])("is missing where %s", (_, statuses, message) => {
    const missing = { code: "NO_PIPELINE", message: expect.stringMatching(message) };
    expect(() => ready(statuses)).toThrow(expect.objectContaining(missing));
  });
});

describe("a request for a model whose pipeline is away", () => {
  function scene(waitMs: number) {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const one = serving("1", "a");
    const coordinators: ClusterStatus[] = [one];
    const models = new ServedModels([model("a")], { coordinators: async () => coordinators }, { waitMs });
    const lose = () => coordinators.splice(0, 1, { ...one, state: "loading" });
    const bring = () => coordinators.splice(0, 1, one);
    const ask = (owner = "") => models.findReady("a", owner).then(({ coordinator }) => coordinator.state, codeOf);
    return { models, lose, bring, ask };
  }
  const codeOf = ({ code }: { readonly code?: string }) => code;

  it("waits for another one if it was there a moment ago", async () => {
    const { models, lose, bring, ask } = scene(10_000);
    onTestFinished(models.watch());
    await vi.advanceTimersByTimeAsync(1000); // a look of its own: nobody has asked
    lose();
    const asked = ask();
    await vi.advanceTimersByTimeAsync(5000);
    bring();
    await vi.advanceTimersByTimeAsync(250);
    expect(await asked).toBe("ready");
  });

  it("is refused when that is too long ago, at once if it is already", async () => {
    const { lose, ask } = scene(1000);
    expect(await ask()).toBe("ready");
    lose();
    const asked = ask();
    await vi.advanceTimersByTimeAsync(1250);
    expect(await asked).toBe("NO_PIPELINE");
    expect(await ask()).toBe("NO_PIPELINE");
  });

  it("waits for the first one if the gateway has just started", async () => {
    const { lose, bring, ask } = scene(1000);
    lose();
    const asked = ask();
    await vi.advanceTimersByTimeAsync(500);
    bring();
    await vi.advanceTimersByTimeAsync(250);
    expect(await asked).toBe("ready");
  });

  it("is refused when none was there since the gateway started", async () => {
    const { lose, ask } = scene(1000);
    lose();
    const asked = ask();
    await vi.advanceTimersByTimeAsync(1250);
    expect(await asked).toBe("NO_PIPELINE");
    expect(await ask()).toBe("NO_PIPELINE");
  });

  it("leaves others half of the places", async () => {
    const { lose, ask } = scene(1000);
    await ask();
    lose();
    let refused = 0;
    const many = Array.from({ length: 200 }, () => ask("many").then(() => refused++));
    await vi.advanceTimersByTimeAsync(0);
    expect(refused).toBe(200 - 128);
    const few = Array.from({ length: 64 }, () => ask("few").then(() => refused++));
    await vi.advanceTimersByTimeAsync(0);
    expect(refused).toBe(200 - 128);
    await vi.advanceTimersByTimeAsync(2000);
    await Promise.all([...many, ...few]);
  });
});

it("names each model as its coordinators do, and as the gateway does where there are none", () => {
  const models = served(["a", "b"], [], ["small"]);
  expect(models.namesAmong([])).toEqual(["a", "b"]);
  const coordinators = [serving("1", "other", "b"), serving("2", "foreign"), serving("3", "other", "b")];
  expect(models.namesAmong(coordinators)).toEqual(["other", "foreign", "a"]);
});
