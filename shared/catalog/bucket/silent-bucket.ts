import { DormouseError } from "../../errors.ts";

/** For the first word of a bucket that a caller may do without. */
export const ANSWER_MS = 5_000;

export function silentBucket(seconds: number, cause: unknown): DormouseError {
  return new DormouseError("mirror_unreachable", `the bucket did not answer within ${seconds} s`, {
    hint: "look at the store and the network: GET /doctor shows more",
    cause,
  });
}
