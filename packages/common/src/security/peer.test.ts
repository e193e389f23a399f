import { expect, it } from "vitest";
import { peerOfNames } from "./peer.js";

it.each([
  ["URI:spiffe://rhone-01/worker/b-1", { cluster: "rhone-01", role: "worker", name: "b-1" }],
  ["DNS:a, URI:spiffe://c/coordinator/a.b, IP Address:1.2.3.4", { cluster: "c", role: "coordinator", name: "a.b" }],
  ["URI:spiffe://prod.example/ns/rhone/gateway/g_1", { cluster: "prod.example", role: "gateway", name: "g_1" }],
])("reads %s", (names, peer) => {
  expect(peerOfNames(names)).toEqual(peer);
});

it.each([
  undefined,
  "",
  "DNS:worker",
  "URI:https://c/worker/a",
  "URI:spiffe://c/king/a",
  "URI:spiffe://c/worker/",
  "URI:spiffe://c/worker",
  "URI:spiffe://c/worker/a/",
  "URI:spiffe://c/worker/a%2Fb",
  "URI:spiffe://c/worker/a, URI:spiffe://c/coordinator/a",
  'DNS:"x, URI:spiffe://c/coordinator/a, y"',
  'DNS:"x\\", URI:spiffe://c/coordinator/a"',
])("%s names no peer", (names) => {
  expect(peerOfNames(names)).toBeNull();
});
