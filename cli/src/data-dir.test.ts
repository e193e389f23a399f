import { expect, it } from "vitest";
import { createDataDir, dataDirAt } from "./data-dir.js";

it("says that a data directory can't be made", async () => {
  await expect(createDataDir(dataDirAt(import.meta.filename))).rejects.toMatchObject({
    code: "INVALID_CONFIG",
    message: expect.stringMatching(/can't be created.*--data-dir/),
  });
});
