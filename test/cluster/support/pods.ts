import { IMAGE, RANDOM_UID } from "./kustomization.ts";

/** A pod that runs `program` by the image's Node and listens on `port`, as the restricted standard asks. */
export function nodePod(
  name: string,
  program: string,
  port: number,
  mount?: { readonly path: string; readonly configMap: string },
) {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { app: name } },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 1,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: RANDOM_UID,
        seccompProfile: { type: "RuntimeDefault" },
      },
      containers: [
        {
          name,
          image: IMAGE,
          args: ["-e", program],
          readinessProbe: { tcpSocket: { port }, periodSeconds: 2 },
          resources: { requests: { cpu: "10m" } },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
          ...(mount && { volumeMounts: [{ name: "mounted", mountPath: mount.path, readOnly: true }] }),
        },
      ],
      ...(mount && { volumes: [{ name: "mounted", configMap: { name: mount.configMap } }] }),
    },
  };
}
