import { inject } from "vitest";
import { RunningCluster } from "./start-cluster.js";

/** Breeze on one worker, shared by all files of the project. Tests leave it idle, with every process alive. */
export const sharedCluster = (): RunningCluster => new RunningCluster(inject("cluster"));

/**
 * Tokens for two or three calls. Breeze repeats a call that it must make until the answer is full, or has 16 calls,
 * which takes a second or two; the grammar ends an answer within any room.
 */
export const ROOM = 120;
