import { readSettings } from "@rhone/common";
import { simulationSettings } from "./config.js";
import { simulateDecoding } from "./simulate-decoding.js";

// Decoding on a virtual clock at several numbers of stages; prints one JSON array of DecodingFigures.

const { stages: counts, ...options } = readSettings({ service: "simulation", settings: simulationSettings });
const figures = [];
for (const stages of counts) figures.push(await simulateDecoding({ ...options, stages }));
process.stdout.write(`${JSON.stringify(figures)}\n`);
