import { expect, test } from "vitest";
import { sizeOf } from "./encoder.js";

test("the size of a conversation counts every text that a template may write", () => {
  const x = (length: number) => "x".repeat(length);
  const toolCalls = [{ id: x(100_000), name: x(200_000), arguments: x(400_000) }];
  const messages = [
    { role: "assistant", content: null, toolCalls },
    { role: "tool", content: x(1000), name: x(2000), toolCallId: x(4000) },
  ] as const;
  const options = { tools: [{ name: x(10_000) }], templateArguments: { a: x(20_000) } };
  const size = sizeOf({ kind: "chat", messages, options });
  expect(size).toBeGreaterThan(737_000);
  expect(size).toBeLessThan(737_100);
});
