import { expect, it } from "vitest";
import { bytes, count, duration, layers, number, percent, span } from "./format.ts";

it.each([
  [bytes(0), "0 B"],
  [bytes(1_500_000), "1.50 MB"],
  [bytes(999_600), "1.00 MB"],
  [bytes(24_300_000_000), "24.3 GB"],
  [number(12_345), "12,345"],
  [number(99.96), "100.0"],
  [number(0.256), "0.26"],
  [number(3), "3"],
  [count(7_241_732_096), "7.24 B"],
  [count(134_515_008), "135 M"],
  [count(5120), "5,120"],
  [duration(0), "0 ms"],
  [duration(0.43), "0.4 ms"],
  [duration(84.7), "85 ms"],
  [duration(1420), "1.42 s"],
  [duration(200_000), "3 min 20 s"],
  [span(61_000), "1 min 1 s"],
  [span(7_500_000), "2 h 5 min"],
  [span(356_400_000), "4 d 3 h"],
  [percent(0.256), "26 %"],
  [layers([0, 8]), "0–7"],
  [layers([7, 8]), "7"],
])("%s is %s", (shown, expected) => expect(shown).toBe(expected));
