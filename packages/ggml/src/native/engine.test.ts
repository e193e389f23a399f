import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Backend } from "../backend/backend.js";
import { openEngine } from "./engine.js";
import { findLibraries } from "./find-libraries.js";

const engine = openEngine();
const folder = mkdtempSync(join(tmpdir(), "rhone-engine-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("openEngine", () => {
  it("loads the pinned version once per process", () => {
    expect(engine.version).toBe("0.25.1");
    expect(openEngine()).toBe(engine);
    expect(openEngine({ dir: engine.dir })).toBe(engine);
    expect(() => openEngine({ dir: folder })).toThrow(/already loaded from .*; a process can't load it from/);
  });

  it("lists the processor among the devices, with its memory", () => {
    const cpu = engine.devices().find(({ name }) => name === "CPU");
    expect(cpu?.kind).toBe("cpu");
    expect(cpu?.memoryTotal).toBeGreaterThan(2 ** 28);
  });
});

describe("findLibraries", () => {
  it("names a folder that isn't there, and the library that a folder lacks", () => {
    const code = "GGML_LIBRARY_MISSING";
    expect(() => findLibraries(join(folder, "none"))).toThrowError(
      expect.objectContaining({ code, message: expect.stringContaining("none") }),
    );
    for (const file of ["libggml-base.0.dylib", "libllama.so.0", "libggml-cpu-x64.so"])
      writeFileSync(join(folder, file), "");
    expect(() => findLibraries(folder)).toThrowError(
      expect.objectContaining({ code, message: expect.stringContaining("has no libggml (") }),
    );
  });

  it.each([
    { base: "libggml-base.so", registry: "libggml.v0.5.0.so", llama: "libllama.v0.5.0.so" },
    { base: "libggml-base.dylib", registry: "libggml.0.25.1.dylib", llama: "libllama.dylib" },
    { base: "ggml-base.dll", registry: "ggml.dll", llama: "llama.dll" },
  ])("knows the files of each platform: $registry", ({ base, registry, llama }) => {
    const dir = mkdtempSync(join(folder, "build-"));
    for (const file of [base, registry, llama, "libggml-cpu.so", "libllama-common.so"])
      writeFileSync(join(dir, file), "");
    expect(findLibraries(dir)).toMatchObject({
      base: join(dir, base),
      registry: join(dir, registry),
      llama: join(dir, llama),
      pinned: false,
    });
  });
});

describe("Backend.open", () => {
  it("finds a device in any case, and lists what exists for another", () => {
    const backend = Backend.open(engine, { device: "cpu", threads: 1 });
    expect(backend.device.name).toBe("CPU");
    expect(backend.bufferTypes().at(-1)).toMatchObject({ name: "CPU", isExtra: false });
    backend.close();
    expect(() => Backend.open(engine, { device: "CUDA7", threads: 1 })).toThrowError(
      expect.objectContaining({ code: "DEVICE_NOT_FOUND", message: expect.stringContaining("CPU") }),
    );
  });

  it.each([0, -1, 1.5, 513])("refuses %d threads", (threads) => {
    expect(() => Backend.open(engine, { threads })).toThrowError(expect.objectContaining({ code: "INVALID_CONFIG" }));
  });

  it("refuses to be used once closed", () => {
    const backend = Backend.open(engine, { threads: 1 });
    backend.close();
    backend.close();
    expect(() => backend.bufferTypes()).toThrow(/closed/);
  });
});
