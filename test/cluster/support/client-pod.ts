import { IMAGE, RANDOM_UID } from "./kustomization.ts";
import { kubectl } from "./kubectl.ts";

export type Asked = {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
};

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** Node and a shell, with the backup volume: how the tests reach what has no address outside of the cluster. */
export function clientPod(namespace: string) {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "client", namespace },
    spec: {
      automountServiceAccountToken: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: RANDOM_UID,
        fsGroup: 65_532,
        seccompProfile: { type: "RuntimeDefault" },
      },
      containers: [
        {
          name: "client",
          image: IMAGE,
          args: ["-e", 'process.on("SIGTERM", () => process.exit()); setInterval(() => undefined, 60_000);'],
          resources: { requests: { cpu: "10m" } },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
          volumeMounts: [{ name: "backups", mountPath: "/backups" }],
        },
      ],
      volumes: [{ name: "backups", persistentVolumeClaim: { claimName: "dormouse-backups" } }],
    },
  };
}

const FETCH = `
  const { url, ...init } = JSON.parse(process.argv[1]);
  const response = await fetch(url, init);
  const headers = Object.fromEntries(response.headers);
  console.log(JSON.stringify({ status: response.status, headers, body: await response.text() }));`;

/** Requests something of a function, by its address in the cluster. */
export async function ask(namespace: string, name: string, asked: Asked): Promise<Answer> {
  const { method = "GET", path = "/", headers = {}, body } = asked;
  const json = body === undefined ? {} : { "content-type": "application/json" };
  const request = {
    url: `http://${name}.${namespace}.svc.cluster.local${path}`,
    method,
    headers: { ...json, ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  };
  const fetching = ["-e", FETCH, JSON.stringify(request)];
  const answer = await kubectl(`-n ${namespace} exec client -- node --input-type=module`, fetching);
  return JSON.parse(answer) as Answer;
}
