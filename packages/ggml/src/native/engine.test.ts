import { rmSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../testing/small-files.js";
import { openEngine } from "./engine.js";

const engine = openEngine();
const folder = temporaryFolder("engine");
afterAll(() => rmSync(folder, { recursive: true }));

describe("openEngine", () => {
  it("loads the pinned version once per process", () => {
    expect(engine.version).toBe("0.25.1");
    expect(openEngine()).toBe(engine);
    expect(openEngine({ dir: engine.dir })).toBe(engine);
  });

  it("refuses another folder, naming both", () => {
    expect(() => openEngine({ dir: folder })).toThrow(
      expect.objectContaining({
        code: "GGML_FAILED",
        message:
          `ggml is already loaded from ${engine.dir}; a process can't load it from ${folder} as well. ` +
          "Start another process for that.",
      }),
    );
  });

  it("lists the processor among the devices, with its memory", () => {
    const cpu = engine.devices().find(({ name }) => name === "CPU");
    expect(cpu?.kind).toBe("cpu");
    expect(cpu?.memoryTotal).toBeGreaterThan(2 ** 28);
    expect(cpu?.memoryFree).toBeGreaterThan(0);
    expect(cpu?.description).not.toBe("");
  });
});
