import { openGguf } from "@rhone/model";
import { expect, onTestFinished, test } from "vitest";
import { scratchFolder } from "../../../model/src/testing/scratch-folder.js";
import { fakeLogger, PLAINTEXT, serveWeights, writeModel } from "../testing/weights-scene.js";
import { openHeader } from "./open-header.js";

const { logger } = fakeLogger();
const plaintext = PLAINTEXT.config;

test("a file that is there is used as it is", async () => {
  const { path } = await writeModel();
  const header = await openHeader(
    { modelPath: path, weightsFrom: "127.0.0.1:1", weightsDir: "/nowhere", ...plaintext },
    logger,
  );
  expect(header).toMatchObject({ path, origin: "", name: undefined });
});

test("without a file the header of the coordinator's model comes, and the model's name", async () => {
  const file = await writeModel();
  const weightsFrom = await serveWeights(file);
  const weightsDir = await scratchFolder();
  const header = await openHeader({ modelPath: "/nowhere/m.gguf", weightsFrom, weightsDir, ...plaintext }, logger);
  onTestFinished(() => header.close());
  expect(header).toMatchObject({ origin: weightsFrom, name: "m" });
  expect((await openGguf(header.path)).metadata).toEqual(file.metadata);
});

test("without a file and a place to ask both settings are named", async () => {
  await expect(openHeader({ weightsDir: "/nowhere", ...plaintext }, logger)).rejects.toMatchObject({
    code: "INVALID_CONFIG",
    message: expect.stringMatching(/--model-path .*--weights-from/),
  });
});
