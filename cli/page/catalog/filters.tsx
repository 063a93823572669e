import type { Backup } from "../../wire.ts";
import { Choice } from "../parts/choice.tsx";
import { placesOf, type Filter } from "./choose.ts";

type Props = {
  readonly backups: readonly Backup[];
  readonly filter: Filter;
  readonly set: (filter: Filter) => void;
};

const CHOICES = [
  ["Database", "database", ({ database }: Backup) => [database]],
  ["Place", "place", placesOf],
  ["Proof", "proof", ({ manifest }: Backup) => [manifest.verification.level]],
] as const;

export function Filters({ backups, filter, set }: Props) {
  const change = (changes: Partial<Filter>) => set({ ...filter, ...changes });
  return (
    <form
      class="filters"
      role="search"
      aria-label="Filter the backups"
      onSubmit={(event) => event.preventDefault()}
    >
      <label>
        Name or label
        <input
          type="search"
          value={filter.text}
          onInput={(event) => change({ text: event.currentTarget.value })}
        />
      </label>
      {CHOICES.map(([name, field, values]) => (
        <Choice
          key={field}
          name={name}
          value={filter[field]}
          values={["", ...new Set(backups.flatMap(values).toSorted())]}
          set={(value) => change({ [field]: value })}
        />
      ))}
      <label class="check">
        <input
          type="checkbox"
          checked={filter.pinned}
          onChange={(event) => change({ pinned: event.currentTarget.checked })}
        />
        Pinned only
      </label>
    </form>
  );
}
