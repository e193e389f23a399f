import { expect, it } from "vitest";
import { fakeModel } from "../../testing/fake-model.js";
import { countInput } from "./prepare-response.js";
import { readResponseRequest } from "./response-fields.js";
import type { InputItem } from "./response-items.js";

const callItem = (_: unknown, i: number): InputItem => ({
  type: "function_call",
  id: `fc_${i}`,
  status: "completed",
  call_id: "c",
  name: "f",
  arguments: "{}",
});

it("items are counted before they are read, calls that become one message too", async () => {
  const asked = async (count: number) => ({
    fields: await readResponseRequest({ input: "hi" }),
    items: Array.from({ length: count }, callItem),
    previous: 0,
    isStored: false,
  });
  await expect(countInput(fakeModel(), await asked(4097), "")).rejects.toMatchObject({
    code: "INVALID_REQUEST",
    message: expect.stringContaining("with the previous responses it has 4097 items, 4096 at most"),
  });
});
