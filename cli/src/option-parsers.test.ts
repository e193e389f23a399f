import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { InvalidArgumentError } from "commander";
import { describe, expect, it } from "vitest";
import {
  byteCount,
  chatTemplate,
  decimalNumber,
  duration,
  gatewayUrl,
  host,
  linkSpeed,
  numberRange,
  outputFile,
  port,
  positiveList,
  seed,
  simulation,
  someOf,
  targetItl,
  wholeNumber,
} from "./option-parsers.js";
import { temporaryFolder } from "./testing/temporary-folder.js";

describe("host", () => {
  it.each([
    ["127.0.0.1", "127.0.0.1"],
    ["::1", "::1"],
    ["[::1]", "::1"],
    ["localhost", "localhost"],
  ])("reads %s as %s", (text, address) => expect(host(text)).toBe(address));

  it.each([
    ["", /^Give an address of this machine, such as .* It must be a host name or an address, without a port\.$/],
    ["127.0.0.1:8080", /without a port\.$/],
    ["fe80::1%eth0", /It must have no zone, as %eth0: URLs have none; listen on ::, /],
  ])("refuses %j", (text, message) => expect(() => host(text)).toThrow(message));
});

describe("duration", () => {
  it.each([
    ["90s", 90_000],
    ["30m", 1_800_000],
    ["12h", 43_200_000],
    ["365d", 31_536_000_000],
  ])("reads %s as %d ms", (text, ms) => expect(duration(text)).toBe(ms));

  it.each(["", "30", "0m", "-1h", "1.5h", "366d", "1w"])('refuses "%s"', (text) => {
    expect(() => duration(text)).toThrow("Give a time such as 90s, 30m, 12h or 7d, at most 365d.");
  });
});

describe("wholeNumber", () => {
  const parse = wholeNumber({ least: 2, most: 16 });

  it.each(["2", "16", "007"])("reads %s", (text) => expect(parse(text)).toBe(Number(text)));

  it.each(["1", "17", "-3", "2.5", "1e1", "", " 3", "0x4", "two"])('refuses "%s"', (text) => {
    expect(() => parse(text)).toThrow(InvalidArgumentError);
    expect(() => parse(text)).toThrow("Give a whole number from 2 to 16.");
  });

  it("reads negative numbers where the range has some", () => {
    expect(wholeNumber({ least: Number.MIN_SAFE_INTEGER })("-5")).toBe(-5);
  });

  it("names only the lower bound when there is no upper one", () => {
    expect(() => wholeNumber({ least: 1 })("0")).toThrow("Give a whole number of at least 1.");
    expect(() => wholeNumber({ least: 1 })("9007199254740993")).toThrow();
  });
});

describe("seed", () => {
  it.each(["0", "-1", "9007199254740993", "9223372036854775807", "-9223372036854775808"])(
    "reads all digits of %s",
    (text) => expect(String(seed(text))).toBe(text),
  );

  it.each(["9223372036854775808", "-9223372036854775809", "1.5", "", "0x1", "1e3", " 1"])('refuses "%s"', (text) =>
    expect(() => seed(text)).toThrow("Give a whole number from -2^63 to 2^63 - 1."),
  );
});

describe("decimalNumber", () => {
  it.each([
    ["0.2", 0.2],
    ["2", 2],
    ["1e-1", 0.1],
  ])("reads %s", (text, value) => expect(decimalNumber({ least: 0, most: 2 })(text)).toBe(value));

  it.each(["-0.1", "2.1", "", " ", "much", "NaN"])('refuses "%s"', (text) => {
    expect(() => decimalNumber({ least: 0, most: 2 })(text)).toThrow("Give a number from 0 to 2.");
  });

  it("refuses infinity even without an upper bound", () => {
    expect(() => decimalNumber({ least: 0 })("Infinity")).toThrow("Give a number of at least 0.");
  });
});

describe("port", () => {
  it.each(["0", "80", "65535"])("takes %s", (text) => expect(port(text)).toBe(Number(text)));
  it("refuses 65536", () => expect(() => port("65536")).toThrow(/from 0 to 65535/));
});

describe("positiveList", () => {
  it("reads numbers between commas", () => expect(positiveList("1, 4,16")).toEqual([1, 4, 16]));
  it.each(["", "1,,2", "1,0", "1;2"])('refuses "%s"', (text) => expect(() => positiveList(text)).toThrow(/at least 1/));
});

describe("chatTemplate", () => {
  it.each([
    ["chatml", "chatml"],
    ["./my.jinja", resolve("my.jinja")],
    ["/my.jinja", "/my.jinja"],
    ["", undefined],
  ])('reads "%s" as %s', (text, expected) => expect(chatTemplate(text)).toBe(expected));
});

describe("linkSpeed", () => {
  it.each([
    ["1G", 125e6],
    ["100Mbit", 12.5e6],
    ["2.5gbit/s", 312.5e6],
    ["8000", 1000],
  ])("reads %s as bytes per second", (text, bytes) => expect(linkSpeed(text)).toBe(bytes));

  it.each(["0", "", "fast", "1T", "-1G", "10 MB"])('refuses "%s"', (text) =>
    expect(() => linkSpeed(text)).toThrow("Give bits per second, such as 1G or 100M."),
  );
});

describe("numberRange", () => {
  it.each([
    ["500..8000", [500, 8000]],
    ["0..0", [0, 0]],
    ["5", [5, 5]],
  ])("reads %s", (text, range) => expect(numberRange(text)).toEqual(range));

  it.each(["", "8..5", "1.5..2", "a..b", "1...2", "1-2"])('refuses "%s"', (text) => {
    expect(() => numberRange(text)).toThrow(/two whole numbers, the lesser first/);
  });
});

describe("someOf", () => {
  const parse = someOf(["worker", "gateway", "link"]);
  it("reads names, each once", () => expect(parse("link, worker,link")).toEqual(["link", "worker"]));
  it.each(["", "workers", "worker,"])('refuses "%s"', (text) => {
    expect(() => parse(text)).toThrow(/is none of: worker, gateway, link/);
  });
});

describe("byteCount", () => {
  it.each([
    ["1000", 1000],
    ["700M", 7e8],
    ["1.5GB", 15e8],
    ["64k", 64_000],
  ])("reads %s", (text, bytes) => expect(byteCount(text)).toBe(bytes));

  it.each(["", "0", "-1", "6T", "G", "1e9"])('refuses "%s"', (text) => {
    expect(() => byteCount(text)).toThrow(/number of bytes, such as 6G/);
  });
});

describe("targetItl", () => {
  it.each(["auto", "off", "50", "12.5"])("takes %s", (text) => expect(targetItl(text)).toBe(text));
  it.each(["0", "-5", "fast", ""])('refuses "%s"', (text) => expect(() => targetItl(text)).toThrow(/auto, off or/));
});

describe("simulation", () => {
  it.each(["null", "stage-ms=5", "stage-ms=5,row-bytes=100"])("takes %s", (text) => {
    expect(simulation(text)).toBe(text);
  });
  it.each(["half", "", "stage-ms=x"])('refuses "%s"', (text) => expect(() => simulation(text)).toThrow(/^Give null/));
});

describe("gatewayUrl", () => {
  it.each([
    ["http://127.0.0.1:8080", "http://127.0.0.1:8080"],
    ["https://host/rhone//", "https://host/rhone"],
  ])("reads %s", (text, url) => expect(gatewayUrl(text)).toBe(url));

  it.each(["", "localhost:8080", "ftp://host", "http://", "http://a b"])('refuses "%s"', (text) => {
    expect(() => gatewayUrl(text)).toThrow("Give an http:// or https:// URL, such as http://127.0.0.1:8080.");
  });
});

describe("outputFile", () => {
  it("takes a new file and an old one", async () => {
    const folder = await temporaryFolder();
    const old = join(folder, "old");
    await writeFile(old, "");
    expect([outputFile(old), outputFile(join(folder, "new"))]).toEqual([old, join(folder, "new")]);
    expect(outputFile("here.json")).toBe("here.json");
  });

  it("refuses a folder, and a file in a folder that does not exist or is a file", async () => {
    const folder = await temporaryFolder();
    expect(() => outputFile(folder)).toThrow("It is a folder.");
    expect(() => outputFile(join(folder, "no", "file"))).toThrow(
      `${join(folder, "no")} is no folder that you may write to.`,
    );
    expect(() => outputFile(join(import.meta.filename, "file"))).toThrow(/is no folder/);
  });
});
