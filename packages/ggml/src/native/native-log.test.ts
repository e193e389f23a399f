import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { native } from "../bindings/pointer.js";
import { temporaryFolder } from "../testing/small-files.js";
import { findDevice } from "./device.js";
import { openEngine } from "./engine.js";

const engine = openEngine();
const { log, llama: loadLlama } = engine[native];
const llama = loadLlama();
const folder = temporaryFolder("log");
const path = join(folder, "text.gguf");
writeFileSync(path, "not a model");
afterAll(() => rmSync(folder, { recursive: true }));

const load = () => llama.modelLoadFromFile(path, llama.modelDefaultParams());

describe("NativeLog.capture", () => {
  it("returns what libllama complains of, beside the result", () => {
    const { result, complaints } = log.capture(load);
    expect(result).toBeNull();
    expect(complaints).toMatch(/invalid magic|failed to load/i);
    expect(complaints).not.toMatch(/\n/);
  });

  it("returns no complaint of a call that makes none, also after one that did", () => {
    log.capture(load);
    expect(log.capture(() => 7)).toEqual({ result: 7, complaints: "" });
  });

  it("is silent again when the call throws", () => {
    expect(() =>
      log.capture(() => {
        throw new Error("midway");
      }),
    ).toThrow("midway");
    expect(load()).toBeNull();
    expect(log.capture(load).complaints).not.toBe("");
  });
});

describe("findDevice", () => {
  it("takes a name in any case, and lists the devices for another", () => {
    const cpu = findDevice(engine[native], "CPU");
    expect(findDevice(engine[native], "cpu")).toBe(cpu);
    expect(() => findDevice(engine[native], "CUDA7")).toThrow(
      expect.objectContaining({
        code: "DEVICE_NOT_FOUND",
        message: expect.stringMatching(/^There is no device "CUDA7"; this machine has .*CPU/),
      }),
    );
  });
});
