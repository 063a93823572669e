import { it } from "node:test";
import { describeReviewAuth } from "../contracts/authorize.ts";
import { describeResumeSource } from "../contracts/wake-up-source.ts";
import { describeWorkloads } from "../contracts/workloads.ts";
import { realWorld } from "../support/real-world.ts";

const kubeconfig = process.env["KUBECONFIG"];

if (kubeconfig === undefined) {
  it("the Kubernetes adapters against a cluster", { skip: "KUBECONFIG names no cluster" }, () => undefined);
} else {
  const open = () => realWorld(kubeconfig);
  describeWorkloads("of a cluster", open);
  describeResumeSource("of a cluster", open);
  describeReviewAuth("of a cluster", open);
}
