import { availableParallelism } from "node:os";
import { loadConfig } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { calibrationSettings, shardWorkerSettings } from "./config.js";

const read = (...flags: readonly string[]) => loadConfig(shardWorkerSettings, {}, [...flags]);

describe("a worker's settings", () => {
  it("need nothing: by default it joins a coordinator on this machine with all cores", () => {
    expect(read()).toMatchObject({
      coordinator: "127.0.0.1:7100",
      host: "127.0.0.1",
      port: 0,
      opsPort: 0,
      threads: availableParallelism(),
      memory: undefined,
      device: "CPU",
      simulate: undefined,
    });
  });

  it("come from flags, which win, or the environment", () => {
    const config = loadConfig(shardWorkerSettings, { RHONE_THREADS: "3", RHONE_WORKER_PORT: "7200" }, [
      "--threads",
      "4",
    ]);
    expect(config).toMatchObject({ threads: 4, port: 7200 });
  });

  it.each([
    ["null", { stageMs: 0, rowUs: 0, rowBytes: null }],
    ["stage-ms=5,row-bytes=0", { stageMs: 5, rowUs: 0, rowBytes: 0 }],
  ])("simulate %s", (text, simulate) => expect(read("--simulate", text).simulate).toEqual(simulate));

  it.each([
    ["--coordinator", "7100", "must be host:port"],
    ["--threads", "0", "threads"],
    ["--threads", "two", "threads"],
    ["--memory", "-1", "memory"],
    ["--port", "70000", "port"],
    ["--simulate", "stage-ms=fast", "simulate"],
    ["--log-level", "loud", "log-level"],
  ])("refuse %s %s", (flag, value, why) => {
    expect(() => read(flag, value)).toThrow(
      expect.objectContaining({ code: "INVALID_CONFIG", message: expect.stringContaining(why) }),
    );
  });

  it("are refused all at once", () => {
    expect(() => read("--threads", "0", "--coordinator", "x")).toThrow(
      /--threads[\s\S]*--coordinator|--coordinator[\s\S]*--threads/,
    );
  });
});

describe("the settings of a calibration", () => {
  it("need a model and a number of layers", () => {
    expect(loadConfig(calibrationSettings, {}, ["--model-path", "/m.gguf", "--layers", "4"])).toMatchObject({
      modelPath: "/m.gguf",
      layers: 4,
      kvType: "f16",
      slidingWindow: 0,
    });
    expect(() => loadConfig(calibrationSettings, {}, [])).toThrow(/--model-path/);
  });

  it.each([
    ["--kv-type", "f8"],
    ["--layers", "0"],
    ["--sliding-window", "-1"],
  ])("refuse %s %s", (flag, value) => {
    const flags = ["--model-path", "/m.gguf", "--layers", "4", flag, value];
    expect(() => loadConfig(calibrationSettings, {}, flags)).toThrow(
      expect.objectContaining({ code: "INVALID_CONFIG" }),
    );
  });
});
