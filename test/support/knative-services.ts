import type { ServingConfig } from "../../scripts/doctor/knative-service.ts";

const CLAIM = "kubernetes.podspec-persistent-volume-claim";
const WRITE = "kubernetes.podspec-persistent-volume-write";

/** A service as good as any, with some of it changed. */
export function service({ pod = {}, container = {}, ...metadata }: Parts = {}) {
  return {
    apiVersion: "serving.knative.dev/v1",
    kind: "Service",
    metadata: { name: "dormouse-backup", ...metadata },
    spec: {
      template: {
        spec: {
          timeoutSeconds: 600,
          responseStartTimeoutSeconds: 600,
          containers: [{ image: "dormouse", ...container }],
          ...pod,
        },
      },
    },
  };
}

type Parts = { readonly pod?: object; readonly container?: object; readonly [field: string]: unknown };

const claim = (readOnly?: boolean) => ({
  pod: {
    volumes: [
      {
        name: "backups",
        persistentVolumeClaim: { claimName: "a", ...(readOnly === undefined ? {} : { readOnly }) },
      },
    ],
  },
  container: {
    volumeMounts: [{ name: "backups", mountPath: "/backups", ...(readOnly ? { readOnly } : {}) }],
  },
});
const withClaim = (readOnly?: boolean) => {
  const { pod, container } = claim(readOnly);
  return {
    ...service(),
    spec: { template: { spec: { containers: [{ image: "dormouse", ...container }], ...pod } } },
  };
};

/** What is in a service, under which flags, and the places to which the webhook objects. */
export const SERVICES: readonly (readonly [
  what: string,
  service: object,
  features: ServingConfig["features"],
  paths: readonly string[],
])[] = [
  ["a plain service", service(), {}, []],
  [
    "a claim without flags",
    withClaim(),
    {},
    ["volumes[0].persistentVolumeClaim", "volumes[0].persistentVolumeClaim"],
  ],
  ["a claim with one flag", withClaim(), { [CLAIM]: "enabled" }, ["volumes[0].persistentVolumeClaim"]],
  ["a claim with both flags", withClaim(), { [CLAIM]: "enabled", [WRITE]: "enabled" }, []],
  ["a claim that is only read", withClaim(true), { [CLAIM]: "enabled" }, []],
  [
    "a flag that is allowed, not enabled",
    withClaim(true),
    { [CLAIM]: "allowed" },
    ["volumes[0].persistentVolumeClaim"],
  ],
  ["fsGroup", service({ pod: { securityContext: { fsGroup: 1 } } }), {}, ["securityContext"]],
  [
    "fsGroup with its flag",
    service({ pod: { securityContext: { fsGroup: 1 } } }),
    { "kubernetes.podspec-securitycontext": "Enabled" },
    [],
  ],
  ["affinity", service({ pod: { affinity: {} } }), {}, ["affinity"]],
  [
    "a grace period",
    service({ pod: { terminationGracePeriodSeconds: 60 } }),
    {},
    ["terminationGracePeriodSeconds"],
  ],
  ["a hook", service({ container: { lifecycle: {} } }), {}, ["containers[0].lifecycle"]],
  ["a time limit above the maximum", service({ pod: { timeoutSeconds: 3600 } }), {}, ["timeoutSeconds"]],
  [
    "only one of the two time limits",
    service({ pod: { responseStartTimeoutSeconds: undefined } }),
    {},
    ["responseStartTimeoutSeconds"],
  ],
  [
    "limits that cross",
    service({ pod: { responseStartTimeoutSeconds: 601 } }),
    {},
    ["responseStartTimeoutSeconds"],
  ],
  [
    "a reserved variable",
    service({ container: { env: [{ name: "PORT", value: "1" }] } }),
    {},
    ["containers[0].env"],
  ],
  [
    "a reserved port",
    service({ container: { ports: [{ containerPort: 8012 }] } }),
    {},
    ["containers[0].ports"],
  ],
  ["a volume that nobody mounts", service({ pod: { volumes: [{ name: "tmp" }] } }), {}, ["volumes"]],
  [
    "a mount without a volume",
    service({ container: { volumeMounts: [{ name: "tmp", mountPath: "/tmp" }] } }),
    {},
    ["containers[0].volumeMounts"],
  ],
  [
    "a patient probe",
    service({ container: { readinessProbe: { periodSeconds: 5 } } }),
    {},
    ["containers[0].readinessProbe"],
  ],
  [
    "a threshold alone",
    service({ container: { readinessProbe: { failureThreshold: 1 } } }),
    {},
    ["containers[0].readinessProbe"],
  ],
  [
    "a token asked for",
    service({ pod: { automountServiceAccountToken: true } }),
    {},
    ["automountServiceAccountToken"],
  ],
  ["one request at a time", service({ pod: { containerConcurrency: 1 } }), {}, ["containerConcurrency"]],
];
