import {
  podOf,
  refused,
  trap,
  type Objection,
  type Rule,
  type Service,
  type ServingConfig,
} from "./knative-service.ts";

const POD = "spec.template.spec";
/** Fields of a pod that stand behind a feature flag. */
const FLAGGED: readonly (readonly [field: string, flag: string])[] = [
  ["securityContext", "kubernetes.podspec-securitycontext"],
  ["affinity", "kubernetes.podspec-affinity"],
  ["nodeSelector", "kubernetes.podspec-nodeselector"],
  ["tolerations", "kubernetes.podspec-tolerations"],
  ["initContainers", "kubernetes.podspec-init-containers"],
  ["topologySpreadConstraints", "kubernetes.podspec-topologyspreadconstraints"],
  ["hostAliases", "kubernetes.podspec-hostaliases"],
  ["priorityClassName", "kubernetes.podspec-priorityclassname"],
  ["schedulerName", "kubernetes.podspec-schedulername"],
];
const NEVER_IN_PODS = ["terminationGracePeriodSeconds", "hostname", "restartPolicy", "hostNetwork"];
const NEVER_IN_CONTAINERS = ["lifecycle", "stdin", "tty", "volumeDevices"];
const RESERVED_ENV = new Set(["PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION"]);
const RESERVED_PORTS = new Set([8008, 8012, 8013, 8022, 8112, 9090, 9091]);
const RESERVED_PATHS = new Set(["/", "/dev", "/dev/log"]);
const AUTOSCALING = "autoscaling.knative.dev/";

export const RULES: readonly Rule[] = [
  name,
  flaggedFields,
  forbiddenFields,
  claims,
  timeouts,
  responseStart,
  annotations,
  environment,
  ports,
  mounts,
  probes,
  token,
  concurrency,
];

function name({ metadata }: Service): readonly Objection[] {
  if (/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(metadata.name)) return [];
  return [
    refused("metadata.name", "it is no DNS-1035 label", "use up to 63 of a-z, 0-9 and -, a letter first"),
  ];
}

function flaggedFields(service: Service, { features }: ServingConfig): readonly Objection[] {
  const pod = podOf(service);
  return FLAGGED.filter(([field, flag]) => field in pod && !isOn(features, flag)).map(([field, flag]) =>
    refused(`${POD}.${field}`, `the feature flag ${flag} is not enabled`, setFlag(flag)),
  );
}

function forbiddenFields(service: Service): readonly Objection[] {
  const pod = podOf(service);
  const containers = pod.containers.flatMap((container, index) =>
    NEVER_IN_CONTAINERS.filter((field) => field in container).map(
      (field) => `${POD}.containers[${index}].${field}`,
    ),
  );
  const fields = NEVER_IN_PODS.filter((field) => field in pod).map((field) => `${POD}.${field}`);
  return [...fields, ...containers].map((path) =>
    refused(
      path,
      "Knative knows no such field",
      "remove it; the grace period of a pod is its timeoutSeconds",
    ),
  );
}

function claims(service: Service, { features }: ServingConfig): readonly Objection[] {
  const { volumes = [] } = podOf(service);
  return volumes.flatMap(({ persistentVolumeClaim: claim }, index) => {
    if (claim === undefined) return [];
    const path = `${POD}.volumes[${index}].persistentVolumeClaim`;
    const read = "kubernetes.podspec-persistent-volume-claim";
    const write = "kubernetes.podspec-persistent-volume-write";
    return [
      ...(isOn(features, read)
        ? []
        : [refused(path, `the feature flag ${read} is not enabled`, setFlag(read))]),
      ...(isOn(features, write) || claim.readOnly === true
        ? []
        : [refused(path, `the feature flag ${write} is not enabled`, setFlag(write))]),
    ];
  });
}

function timeouts(service: Service, { defaults }: ServingConfig): readonly Objection[] {
  const maximum = Number(defaults["max-revision-timeout-seconds"] ?? 600);
  const {
    timeoutSeconds = Number(defaults["revision-timeout-seconds"] ?? 300),
    responseStartTimeoutSeconds = 0,
  } = podOf(service);
  const tooLong = timeoutSeconds > maximum;
  const crossed = responseStartTimeoutSeconds > timeoutSeconds;
  return [
    ...(tooLong
      ? [
          refused(
            `${POD}.timeoutSeconds`,
            `${timeoutSeconds} is more than max-revision-timeout-seconds, which is ${maximum}`,
            `use ${maximum} at most: a run needs no open request`,
          ),
        ]
      : []),
    ...(crossed
      ? [
          trap(
            `${POD}.responseStartTimeoutSeconds`,
            "it is more than timeoutSeconds, and that counts",
            "use the same value",
          ),
        ]
      : []),
  ];
}

/** https://github.com/knative/serving/issues/15352 */
function responseStart(service: Service): readonly Objection[] {
  const { timeoutSeconds = 0, responseStartTimeoutSeconds } = podOf(service);
  if (responseStartTimeoutSeconds !== undefined || timeoutSeconds <= 300) return [];
  const path = `${POD}.responseStartTimeoutSeconds`;
  return [
    trap(
      path,
      "unset, it becomes 300, and answers that take longer become 504",
      `set it to ${timeoutSeconds}`,
    ),
  ];
}

function annotations({ metadata }: Service): readonly Objection[] {
  return Object.keys(metadata.annotations ?? {})
    .filter((key) => key.startsWith(AUTOSCALING))
    .map((key) =>
      refused(`metadata.annotations.${key}`, "it is refused here", "move it to spec.template.metadata"),
    );
}

function environment(service: Service): readonly Objection[] {
  return podOf(service).containers.flatMap(({ env = [] }, index) =>
    env
      .filter((variable) => RESERVED_ENV.has(variable.name))
      .map((variable) =>
        refused(`${POD}.containers[${index}].env`, `${variable.name} is reserved`, "remove it"),
      ),
  );
}

function ports(service: Service): readonly Objection[] {
  return podOf(service).containers.flatMap((container, index) =>
    (container.ports ?? [])
      .filter(({ containerPort }) => RESERVED_PORTS.has(containerPort))
      .map(({ containerPort }) =>
        refused(`${POD}.containers[${index}].ports`, `${containerPort} is the queue proxy's`, "use 8080"),
      ),
  );
}

function mounts(service: Service): readonly Objection[] {
  const pod = podOf(service);
  const mounted = new Map(
    pod.containers.flatMap(({ volumeMounts = [] }) =>
      volumeMounts.map((mount) => [mount.name, mount] as const),
    ),
  );
  const volumes = pod.volumes ?? [];
  const unused = volumes.filter((volume) => !mounted.has(volume.name));
  const unknown = [...mounted.keys()].filter((mount) => !volumes.some((volume) => volume.name === mount));
  const reserved = [...mounted.values()].filter(({ mountPath }) => RESERVED_PATHS.has(mountPath));
  const readOnly = volumes.filter(
    (volume) =>
      volume.persistentVolumeClaim?.readOnly === true && mounted.get(volume.name)?.readOnly !== true,
  );
  const at = `${POD}.containers[0].volumeMounts`;
  return [
    ...unused.map((volume) =>
      refused(`${POD}.volumes`, `${volume.name} is not mounted`, "mount or remove it"),
    ),
    ...unknown.map((mount) => refused(at, `there is no volume ${mount}`, "declare it in volumes")),
    ...reserved.map(({ mountPath }) => refused(at, `${mountPath} is reserved`, "mount it elsewhere")),
    ...readOnly.map((volume) =>
      refused(at, `${volume.name} is a read-only claim`, "mount it with readOnly: true"),
    ),
  ];
}

function probes(service: Service): readonly Objection[] {
  return podOf(service).containers.flatMap(({ readinessProbe: probe = {} }, index) => {
    const path = `${POD}.containers[${index}].readinessProbe`;
    const isPatient = (probe.periodSeconds ?? 0) > 0;
    if (isPatient)
      return [trap(path, "with a period, a start takes up to that much longer", "leave out periodSeconds")];
    if (!("failureThreshold" in probe) && !("timeoutSeconds" in probe)) return [];
    return [refused(path, "failureThreshold and timeoutSeconds need a period", "leave them out")];
  });
}

function token(service: Service): readonly Objection[] {
  if (podOf(service).automountServiceAccountToken !== true) return [];
  const path = `${POD}.automountServiceAccountToken`;
  return [refused(path, "it may only be set to false", "leave it out")];
}

function concurrency(service: Service): readonly Objection[] {
  const { containerConcurrency } = podOf(service);
  if (containerConcurrency !== 1) return [];
  const why = "the request that keeps the pod, and questions after a run, would wait for the run";
  return [trap(`${POD}.containerConcurrency`, why, "set it to 0")];
}

/** `allowed` is not enough for these flags. */
function isOn(features: ServingConfig["features"], flag: string): boolean {
  return features[flag]?.toLowerCase() === "enabled";
}

function setFlag(flag: string): string {
  return `set ${flag}: enabled in the ConfigMap config-features of knative-serving (docs/knative.md)`;
}
