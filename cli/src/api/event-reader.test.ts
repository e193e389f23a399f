import { describe, expect, it } from "vitest";
import { EventReader } from "./event-reader.js";

describe("EventReader", () => {
  it("gives a payload as soon as its line has ended, and several at once", () => {
    const reader = new EventReader();
    expect(reader.push(Buffer.from("data: {")).length).toBe(0);
    expect(reader.push(Buffer.from('"a":1}'))).toEqual([]);
    expect(reader.push(Buffer.from("\n\ndata: b\n\nda"))).toEqual(['{"a":1}', "b"]);
    expect(reader.push(Buffer.from("ta: [DONE]\n\n"))).toEqual(["[DONE]"]);
  });

  it("keeps characters whole that are cut between bytes", () => {
    const reader = new EventReader();
    const bytes = Buffer.from("data: né\n");
    expect(reader.push(bytes.subarray(0, 8))).toEqual([]);
    expect(reader.push(bytes.subarray(8))).toEqual(["né"]);
  });

  it("passes over comments and other fields", () => {
    expect(new EventReader().push(Buffer.from(": ping\nid: 4\nevent: x\r\n\r\ndata:y\r\n"))).toEqual(["y"]);
  });
});
