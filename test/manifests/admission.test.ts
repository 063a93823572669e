import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { admitService } from "../../scripts/doctor/admit-service.ts";
import { installable, containersOf, lackOfKubectl, render, type Manifest } from "../support/manifests.ts";

const VOLUME = ["kubernetes.podspec-persistent-volume-claim", "kubernetes.podspec-persistent-volume-write"];
/** The flags that each overlay says it needs; docs/knative.md tells how they are set. */
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
    it(
      `in ${folder} are admitted with the flags that it names, and need each of them`,
      { skip },
      async () => {
        const services = (await render(folder)).filter(isKnativeService);
        const flags = FLAGS[folder] ?? [];
        const objections = (enabled: readonly string[]) => {
          const features = Object.fromEntries(enabled.map((flag) => [flag, "enabled"]));
          return services.flatMap((service) => admitService(service, { features, defaults: {} }));
        };

        assert.deepEqual(objections(flags), []);
        for (const flag of flags) {
          const others = flags.filter((other) => other !== flag);
          assert.ok(
            objections(others).some(({ why }) => why.includes(flag)),
            flag,
          );
        }
      },
    );

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

function isKnativeService({ apiVersion, kind }: Manifest): boolean {
  return kind === "Service" && apiVersion === "serving.knative.dev/v1";
}
