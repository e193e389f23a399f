import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { native } from "../bindings/pointer.js";
import { temporaryFolder } from "../testing/small-files.js";
import { openEngine } from "./engine.js";
import { findLibraries } from "./find-libraries.js";
import { checkLlamaLayout, checkVersion, loadNative } from "./load-native.js";

const engine = openEngine();
const folder = temporaryFolder("load");
afterAll(() => rmSync(folder, { recursive: true }));

describe("loadNative", () => {
  const files = findLibraries();

  it("says why a file can't be loaded", () => {
    const base = join(folder, "libggml-base.so");
    writeFileSync(base, "not a library");
    expect(() => loadNative({ ...files, base })).toThrow(
      expect.objectContaining({
        code: "GGML_LIBRARY_MISSING",
        message: expect.stringMatching(/libggml-base\.so exists but can't be loaded: .+/),
        cause: expect.any(Error),
      }),
    );
  });

  it("names the library that lacks a function, and the version that has it", () => {
    expect(() => loadNative({ ...files, registry: files.base })).toThrow(
      expect.objectContaining({
        code: "GGML_VERSION_MISMATCH",
        message: expect.stringMatching(
          /ggml-base\S* is not from the ggml 0\.25\.1 that Rhone needs: .*ggml_backend_dev_count/,
        ),
      }),
    );
  });
});

describe("checkVersion", () => {
  const library = (version: string, bytes = 368) => ({
    version: (() => version) as never,
    commit: (() => "abc123") as never,
    tensorOverhead: (() => bytes) as never,
  });

  it.each([
    { version: "0.25.1", pinned: true, ok: true },
    { version: "0.25.2", pinned: true, ok: false },
    { version: "0.25.9", pinned: false, ok: true },
    { version: "0.23.0", pinned: true, ok: false },
    { version: "0.23.4", pinned: false, ok: true },
    { version: "0.26.0", pinned: false, ok: false },
    { version: "1.25.1", pinned: false, ok: false },
  ])("of $version, pinned: $pinned, is right: $ok", ({ version, pinned, ok }) => {
    const check = () => checkVersion(library(version), pinned);
    if (ok) expect(check).not.toThrow();
    else expect(check).toThrow(expect.objectContaining({ code: "GGML_VERSION_MISMATCH" }));
  });

  it("tells found and needed version, and what to do", () => {
    expect(() => checkVersion(library("0.24.0"), false)).toThrow(
      "Found ggml 0.24.0 (commit abc123, 368 bytes per tensor), but Rhone needs 0.25.x or 0.23.x (368 bytes). " +
        "Reinstall with `npm ci`, or build llama.cpp v0.5.0.",
    );
  });

  it("refuses tensors of another size, though the version is right", () => {
    expect(() => checkVersion(library("0.25.1", 376), true)).toThrow(
      "376 bytes per tensor), but Rhone needs 0.25.1 (368 bytes)",
    );
  });
});

describe("libllama's structures", () => {
  const llama = engine[native].llama();

  it("are read where the pinned headers put their fields", () => {
    expect(llama.contextDefaultParams()).toMatchObject({
      n_ctx: 512,
      n_batch: 2048,
      n_ubatch: 512,
      n_seq_max: 1,
      rope_scaling_type: -1,
      pooling_type: -1,
      attention_type: -1,
      flash_attn_type: -1,
      rope_freq_base: 0,
      yarn_ext_factor: -1,
      type_k: 1,
      type_v: 1,
      embeddings: false,
      offload_kqv: true,
      ctx_other: null,
    });
    expect(llama.modelDefaultParams()).toMatchObject({
      devices: null,
      n_gpu_layers: -1,
      vocab_only: false,
      use_extra_bufts: true,
    });
  });

  it.each([
    { name: "n_ctx", context: { n_ctx: 4096 } },
    { name: "n_batch", context: { n_batch: 0 } },
    { name: "offload_kqv", context: { offload_kqv: false } },
    { name: "vocab_only", model: { vocab_only: true } },
    { name: "use_extra_bufts", model: { use_extra_bufts: false } },
  ])("are refused when $name has another default", ({ context = {}, model = {} }) => {
    const other = {
      modelDefaultParams: (() => ({ ...llama.modelDefaultParams(), ...model })) as never,
      contextDefaultParams: (() => ({ ...llama.contextDefaultParams(), ...context })) as never,
    };
    expect(() => checkLlamaLayout(other)).toThrow(
      expect.objectContaining({
        code: "GGML_VERSION_MISMATCH",
        message: expect.stringContaining("its structures differ from those of llama.cpp v0.5.0"),
      }),
    );
  });
});
