// What the broker suite found, as a table for people or as JSON: the numbers of each broker, the ratio to Mosquitto, the floors.
import type { Floor, Measures, Scenario } from './scenarios.js'

/** The floors are tsmq's; the ratios are to this broker. */
const JUDGED = 'tsmq'
const REFERENCE = 'mosquitto'
/** tsmq without what a scenario is about. */
export const PLAIN = 'tsmq plain'

/** One broker's run of one scenario. */
export interface Run {
  readonly broker: string
  readonly measures: Measures
  /** Why there are no measures. */
  readonly failure?: string
}

/** A run as JSON reports it. */
export interface JudgedRun extends Run {
  readonly scenario: string
  readonly ratio?: number
  readonly floors: readonly { readonly text: string; readonly isHeld: boolean }[]
}

const COLUMNS = [
  ['scenario', -28],
  ['broker', -10],
  ['rate', 22],
  ['CPU µs', 8],
  ['peak MiB', 9],
  ['p50 µs', 8],
  ['p99 µs', 8],
  ['ratio', 7],
] as const

/** Judges all brokers' runs of one scenario against each other and the floors. */
export function judge(scenario: Scenario, runs: readonly Run[]): JudgedRun[] {
  const reference = runs.find((run) => run.broker === REFERENCE)?.measures
  const plain = runs.find((run) => run.broker === PLAIN)?.measures
  return runs.map((run) => {
    const ratio = quotient(run.measures[scenario.compares], reference?.[scenario.compares])
    const floors = run.broker === JUDGED && run.failure === undefined ? scenario.floors : []
    return {
      scenario: scenario.name,
      ...run,
      ...(ratio !== undefined && { ratio }),
      floors: floors.flatMap((floor) => verdict(floor, run.measures, floor.against === 'plain' ? plain : reference)),
    }
  })
}

/** Nothing when it cannot be told: the measure is missing, or Mosquitto is. */
function verdict(floor: Floor, measures: Measures, reference: Measures | undefined): JudgedRun['floors'] {
  const value =
    floor.against === 'fixed' ? measures[floor.measure] : quotient(measures[floor.measure], reference?.[floor.measure])
  if (value === undefined) return []
  const isHeld =
    value >= (floor.atLeast ?? Number.NEGATIVE_INFINITY) && value <= (floor.atMost ?? Number.POSITIVE_INFINITY)
  const bound = floor.atLeast !== undefined ? `≥ ${floor.atLeast}` : `≤ ${floor.atMost}`
  const unit = floor.against === 'fixed' ? '' : floor.against === 'plain' ? ' × plain' : ' ×'
  const text = `${floor.measure} ${bound}${unit}`
  return [{ text, isHeld }]
}

function quotient(value: number | undefined, reference: number | undefined): number | undefined {
  return value === undefined || !reference ? undefined : value / reference
}

/** The first lines of the table. */
export function tableHead(): string {
  const head = `${COLUMNS.map(([title, width]) => pad(title, width)).join(' ')}  floor`
  return `${head}\n${'-'.repeat(head.length + 20)}`
}

/** The table's lines for one scenario. */
export function tableRows(scenario: Scenario, runs: readonly JudgedRun[]): string {
  return runs
    .map((run, index) => {
      const { rate, cpuMicros, peakMiB, p50, p99, note } = run.measures
      const cells = [
        index === 0 ? scenario.title : '',
        run.broker,
        rate === undefined ? '' : `${thousands(rate)} ${scenario.counts}/s`,
        cpuMicros?.toFixed(2) ?? '',
        peakMiB?.toFixed(1) ?? '',
        p50 === undefined ? '' : thousands(p50),
        p99 === undefined ? '' : thousands(p99),
        run.ratio?.toFixed(2) ?? '',
      ]
      const numbers = COLUMNS.map(([, width], column) => pad(cells[column] ?? '', width)).join(' ')
      const floors = run.floors.map((floor) => `${floor.text} ${floor.isHeld ? 'ok' : 'BELOW'}`)
      const remarks = [...floors, ...(note ? [note] : []), ...(run.failure ? [`failed: ${run.failure}`] : [])]
      return `${numbers}  ${remarks.join('; ')}`.trimEnd()
    })
    .join('\n')
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** Pads on the right when `width` is negative, otherwise on the left. */
function pad(text: string, width: number): string {
  return width < 0 ? text.padEnd(-width) : text.padStart(width)
}
