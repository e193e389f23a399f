import { describe, expect, it } from "vitest";
import { pipelineError } from "./pipeline-progress.js";

describe("pipelineError", () => {
  it.each([
    ["NOT_ENOUGH_MEMORY: 4 GB are missing", "NOT_ENOUGH_MEMORY", "4 GB are missing"],
    ["MYSTERY: something", "NO_PIPELINE", "MYSTERY: something"],
    ["two workers are missing", "NO_PIPELINE", "two workers are missing"],
  ])("%s is a %s", (reason, code, message) => expect(pipelineError(reason)).toMatchObject({ code, message }));
});
