import { execa } from "execa";

type Volume = {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly claimRef?: { readonly namespace: string };
    readonly storageClassName: string;
    readonly accessModes: readonly string[];
    readonly capacity: { readonly storage: string };
  };
  readonly status: { readonly phase: string };
};

/** All namespaces of the tests begin with it. */
const OURS = /^dormouse-/;
const CLEANING = "dormouse-cleaning";
const LIMIT = "--timeout=120s";

/**
 * Empties the volumes that earlier runs of the tests have released and offers them again. Where volumes are made as they
 * are claimed, and go with their claims, there are none.
 */
export async function freeVolumes(image: string): Promise<void> {
  const volumes = (await list()).filter(
    ({ spec, status }) => status.phase === "Released" && OURS.test(spec.claimRef?.namespace ?? ""),
  );
  if (volumes.length === 0) return;
  // A run that was killed may have left it.
  await kubectl(["delete", "namespace", CLEANING, "--ignore-not-found", LIMIT]);
  await kubectl(["create", "namespace", CLEANING]);
  try {
    for (const volume of volumes) await offer(volume);
    await apply([...volumes.map(claimOf), cleaner(image, volumes)]);
    await kubectl(["wait", "-n", CLEANING, "pod/cleaner", "--for=jsonpath={.status.phase}=Succeeded", LIMIT]);
  } finally {
    await kubectl(["delete", "namespace", CLEANING, LIMIT]);
  }
  for (const volume of volumes) await offer(volume);
  console.log(`${volumes.length} volumes of earlier runs are empty again`);
}

async function list(): Promise<readonly Volume[]> {
  const found = await kubectl(["get", "persistentvolumes", "--output=json"]);
  return (JSON.parse(found) as { readonly items: readonly Volume[] }).items;
}

async function offer({ metadata }: Volume): Promise<void> {
  const forget = JSON.stringify({ spec: { claimRef: null } });
  await kubectl(["patch", "persistentvolume", metadata.name, "--type=merge", `--patch=${forget}`]);
}

function claimOf({ metadata: { name }, spec }: Volume): object {
  const { storageClassName, accessModes, capacity } = spec;
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name, namespace: CLEANING },
    spec: { volumeName: name, storageClassName, accessModes, resources: { requests: capacity } },
  };
}

/** As root: the files belong to the user that the tests ran as. */
function cleaner(image: string, volumes: readonly Volume[]): object {
  const names = volumes.map(({ metadata }) => metadata.name);
  const container = {
    name: "cleaner",
    image,
    command: ["find", "/volumes", "-mindepth", "2", "-delete"],
    securityContext: { runAsUser: 0 },
    volumeMounts: names.map((name) => ({ name, mountPath: `/volumes/${name}` })),
  };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "cleaner", namespace: CLEANING },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      containers: [container],
      volumes: names.map((name) => ({ name, persistentVolumeClaim: { claimName: name } })),
    },
  };
}

async function apply(items: readonly object[]): Promise<void> {
  await kubectl(["create", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
}

async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const { stdout } = await execa("kubectl", args, input === undefined ? {} : { input });
  return stdout;
}
