import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { installable, containersOf, lackOfKubectl, render, type Manifest } from "../support/manifests.ts";

const VOLUME = ["kubernetes.podspec-persistent-volume-claim", "kubernetes.podspec-persistent-volume-write"];
/** The flags that each overlay says it needs; docs/knative.md shows how they are set. */
const FLAGS: Readonly<Record<string, readonly string[]>> = {
  base: VOLUME,
  example: [],
  "overlays/kubernetes": [...VOLUME, "kubernetes.podspec-securitycontext"],
  "overlays/openshift": VOLUME,
  "overlays/broker": [...VOLUME, "kubernetes.podspec-securitycontext"],
  "overlays/jobsink": [...VOLUME, "kubernetes.podspec-securitycontext"],
  "overlays/rwo": [...VOLUME, "kubernetes.podspec-securitycontext", "kubernetes.podspec-affinity"],
  "overlays/network-policies": [...VOLUME, "kubernetes.podspec-securitycontext"],
  "overlays/s3": [...VOLUME, "kubernetes.podspec-securitycontext"],
};

/** Fields of a pod, and the flags without which Knative refuses them. */
const FLAGGED: Readonly<Record<string, readonly string[]>> = {
  persistentVolumeClaim: VOLUME,
  securityContext: ["kubernetes.podspec-securitycontext"],
  affinity: ["kubernetes.podspec-affinity"],
};

/** And no user: any must do. */
const RESTRICTED = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  seccompProfile: { type: "RuntimeDefault" },
};

describe("the manifests", async () => {
  const skip = (await lackOfKubectl()) ?? false;

  for (const folder of ["example", ...(await installable())]) {
    it(`in ${folder} need the flags that it names`, { skip }, async () => {
      const text = JSON.stringify((await podsIn(folder)).map((pod) => ({ ...pod, containers: [] })));

      const needed = Object.entries(FLAGGED).flatMap(([field, flags]) =>
        text.includes(`"${field}":`) ? flags : [],
      );
      assert.deepEqual(needed.toSorted(), (FLAGS[folder] ?? []).toSorted());
    });

    // https://github.com/knative/serving/issues/15352: unset, responseStartTimeoutSeconds is 300, and a longer answer a 504.
    it(`in ${folder} fall into no trap that Knative lets pass`, { skip }, async () => {
      for (const pod of await podsIn(folder)) {
        assert.equal(pod.responseStartTimeoutSeconds, pod.timeoutSeconds);
        assert.notEqual(pod.containerConcurrency, 1, "the request that keeps the pod would wait for the run");
        for (const { readinessProbe } of pod.containers)
          assert.equal(readinessProbe?.periodSeconds, undefined, "a start takes up to that much longer");
      }
    });

    it(`in ${folder} meet the restricted Pod Security Standard in each container`, { skip }, async () => {
      const containers = (await render(folder)).flatMap(containersOf) as readonly Secured[];
      if (folder === "example") return;

      for (const { name, securityContext } of containers) assert.deepEqual(securityContext, RESTRICTED, name);
    });

    it(`in ${folder} use one image`, { skip }, async () => {
      const containers = (await render(folder)).flatMap(containersOf);

      assert.equal(new Set(containers.map(({ image }) => image)).size, 1);
    });
  }

  it("for OpenShift set no group and no user", { skip }, async () => {
    const text = JSON.stringify(await render("overlays/openshift"));

    assert.doesNotMatch(text, /fsGroup|runAsUser|runAsGroup|supplementalGroups/);
  });
});

type Secured = {
  readonly name: string;
  readonly securityContext?: unknown;
};

type Pod = {
  readonly timeoutSeconds?: number;
  readonly responseStartTimeoutSeconds?: number;
  readonly containerConcurrency?: number;
  readonly containers: readonly { readonly readinessProbe?: { readonly periodSeconds?: number } }[];
};

/** Of the Knative Services of a folder. */
async function podsIn(folder: string): Promise<readonly Pod[]> {
  const services = (await render(folder)).filter(isKnativeService);
  return services.map(({ spec }) => (spec as { template: { spec: Pod } }).template.spec);
}

function isKnativeService({ apiVersion, kind }: Manifest): boolean {
  return kind === "Service" && apiVersion === "serving.knative.dev/v1";
}
