import { RULES } from "./knative-rules.ts";
import { serviceSchema, type Objection, type ServingConfig } from "./knative-service.ts";

/**
 * What the webhook of Knative Serving makes of a service under these settings, as far as its rules concern us; they are
 * those of 1.15 to 1.23 (https://github.com/knative/serving/blob/main/pkg/apis/serving/k8s_validation.go).
 */
export function admitService(service: unknown, config: ServingConfig): readonly Objection[] {
  const parsed = serviceSchema.parse(service);
  return RULES.flatMap((rule) => rule(parsed, config));
}
