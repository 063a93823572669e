import type { TableChange } from "../../commands/compare-backups.ts";
import { countText } from "../../text/units.ts";

/** Tables whose rows changed. */
export function Changes({ changes }: { readonly changes: readonly TableChange[] }) {
  if (changes.length === 0) return <p>No table is known to have changed.</p>;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Tables that changed">
      <table>
        <thead>
          <tr>
            <th scope="col">Table</th>
            <th scope="col">It</th>
            <th scope="col" class="number">
              Rows before
            </th>
            <th scope="col" class="number">
              Rows now
            </th>
          </tr>
        </thead>
        <tbody>
          {changes.map(({ table, kind, before, now }) => (
            <tr key={table}>
              <th scope="row">{table}</th>
              <td class={kind === "went" || kind === "shrank" ? "less" : ""}>{kind}</td>
              <td class="number">{countText(before)}</td>
              <td class="number">{countText(now)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
