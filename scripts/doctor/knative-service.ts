import * as z from "zod";

/** What an administrator has set: the data of the ConfigMaps `config-features` and `config-defaults` of Knative Serving. */
export type ServingConfig = {
  readonly features: Readonly<Record<string, string>>;
  readonly defaults: Readonly<Record<string, string>>;
};

/** What Knative would refuse or do unasked, and what to change. */
export type Objection = {
  /** `refused`: the webhook takes no such service. `trap`: it takes it, and it will not do what it says. */
  readonly kind: "refused" | "trap";
  /** In the service: `spec.template.spec.timeoutSeconds`. */
  readonly path: string;
  readonly why: string;
  readonly fix: string;
};

const names = z.array(z.looseObject({ name: z.string() }));
const probeSchema = z.looseObject({ periodSeconds: z.number().optional() });
const containerSchema = z.looseObject({
  env: names.optional(),
  ports: z.array(z.looseObject({ containerPort: z.number() })).optional(),
  readinessProbe: probeSchema.optional(),
  volumeMounts: z
    .array(z.looseObject({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().optional() }))
    .optional(),
});
const podSchema = z.looseObject({
  containers: z.array(containerSchema),
  containerConcurrency: z.number().optional(),
  timeoutSeconds: z.number().optional(),
  responseStartTimeoutSeconds: z.number().optional(),
  automountServiceAccountToken: z.boolean().optional(),
  volumes: z
    .array(
      z.looseObject({
        name: z.string(),
        persistentVolumeClaim: z.looseObject({ readOnly: z.boolean().optional() }).optional(),
      }),
    )
    .optional(),
});
const annotated = z.looseObject({ annotations: z.record(z.string(), z.string()).optional() });
/** Throws when the object is no service at all. */
export const serviceSchema = z.looseObject({
  metadata: annotated.extend({ name: z.string() }),
  spec: z.looseObject({ template: z.looseObject({ metadata: annotated.optional(), spec: podSchema }) }),
});

/** A Knative Service, as far as the rules look at it. */
export type Service = z.output<typeof serviceSchema>;
type Pod = z.output<typeof podSchema>;
/** One thing that the webhook looks at. */
export type Rule = (service: Service, config: ServingConfig) => readonly Objection[];

export function podOf(service: Service): Pod {
  return service.spec.template.spec;
}

export function refused(path: string, why: string, fix: string): Objection {
  return { kind: "refused", path, why, fix };
}

export function trap(path: string, why: string, fix: string): Objection {
  return { kind: "trap", path, why, fix };
}
