import { describeReviewAuth } from "../contracts/authorize.ts";
import { describeResumeSource } from "../contracts/wake-up-source.ts";
import { describeWorkloads } from "../contracts/workloads.ts";
import { fakeWorld } from "../support/fake-world.ts";

describeWorkloads("of the fake API", fakeWorld);
describeResumeSource("of the fake API", fakeWorld);
describeReviewAuth("of the fake API", fakeWorld);
