// The plugins of one broker, from loading to the end: those of its configuration in their order, then those that a program has given.
// At which points of the work they are called is in points.ts.

import type { PluginConfig } from '../../options/plugin-config.js'
import { type ControlCommands, ControlError, type ControlHandler } from '../admin/control.js'
import type { OpenListener } from '../open-listener.js'
import { changedRetained } from './changed-retained.js'
import { PromiseDeadlines } from './deadlines.js'
import { asPlugin, LoadedPlugin, PluginError } from './loaded-plugin.js'
import type { ControlMethod, Plugin } from './plugin.js'
import { PluginBroker, type PluginReach } from './plugin-broker.js'
import { PluginStates } from './plugin-state.js'
import { pointsOf } from './points.js'
import { andThen, isPromise, type Soon } from './soon.js'

/** What is told about a plugin that is loaded. */
export interface PluginFacts {
  readonly name: string
  readonly version?: string
  /** Of the listener whose clients are its business, where there is only one. */
  readonly port?: number
  readonly 'control-endpoints': readonly string[]
}

export class Plugins {
  readonly states = new PluginStates()
  private readonly reach: PluginReach
  private readonly given: readonly Plugin[]
  private readonly deadlines: PromiseDeadlines
  private loaded: LoadedPlugin[] = []
  private started: LoadedPlugin[] = []

  /** @param given those that come from no configuration */
  constructor(reach: PluginReach, given: readonly Plugin[]) {
    const { context } = reach
    this.reach = reach
    this.given = given
    this.deadlines = new PromiseDeadlines(context.clock, () => context.config.plugin_timeout * 1000)
  }

  /**
   * Loads those of the configuration and puts all of them at the points where they are asked.
   * @param listeners in the order of the configuration
   * @throws PluginError
   */
  async load(listeners: readonly OpenListener[]): Promise<void> {
    const { context } = this.reach
    const { plugins: configs } = context.config
    if (configs.length === 0 && this.given.length === 0) return
    this.loaded = await this.configured(configs, listeners)
    for (const plugin of this.given)
      this.loaded.push(new LoadedPlugin(asPlugin(plugin, 'of the program'), context.log, this.deadlines))
    for (const each of this.loaded) {
      const { plugin } = each
      for (const [endpoint, methods] of Object.entries(plugin.control ?? {})) {
        if (context.control.has(endpoint))
          throw new PluginError(
            plugin.name,
            `$CONTROL/${endpoint} is taken (plugin_use gives one plugin to many listeners)`,
          )
        const settle = () => carriedOut(each, 'controlled', () => plugin.controlled?.(endpoint))
        context.control.register(endpoint, this.commandsOf(each, methods), undefined, settle)
      }
      context.log.info(`Plugin ${plugin.name}${plugin.version === undefined ? '' : ` ${plugin.version}`} loaded.`)
    }
    const points = pointsOf(this.loaded, context.clock)
    context.points = points
    const { retainedChanged } = points
    if (retainedChanged !== undefined)
      context.router.retained.onChange = (topic, message) => {
        if (!topic.startsWith('$SYS/')) retainedChanged(topic, message)
      }
  }

  private async configured(
    configs: readonly PluginConfig[],
    listeners: readonly OpenListener[],
  ): Promise<LoadedPlugin[]> {
    const { log } = this.reach.context
    const { loadPlugin } = await import('./load-plugin.js')
    const loaded: LoadedPlugin[] = []
    for (const config of configs) {
      const { plugin, warnings } = await loadPlugin(config)
      for (const warning of warnings) log.warning(`Warning: ${warning}`)
      const infos = config.listeners?.flatMap((index) => listeners[index]?.info ?? [])
      const scope = { listeners: infos && new Set(infos), deniesSpecialChars: config.deniesSpecialChars }
      loaded.push(new LoadedPlugin(plugin, log, this.deadlines, scope))
    }
    return loaded
  }

  private commandsOf(by: LoadedPlugin, methods: Readonly<Record<string, ControlMethod>>): ControlCommands {
    const commands = Object.entries(methods).map(([command, method]) => {
      const run: ControlHandler = (...args) =>
        andThen(
          carriedOut(by, `control ${command}`, () => method(...args)),
          (answer) => {
            if (answer !== undefined && 'error' in answer) throw new ControlError(answer.error)
            return answer?.data
          },
        )
      return [command.toLowerCase(), run] as const
    })
    return new Map(commands)
  }

  /**
   * Has them look at what the store has brought, and begin; clients are served afterwards.
   * @throws PluginError
   */
  async start(): Promise<void> {
    const { context } = this.reach
    if (context.points.retainedLoading !== undefined)
      changedRetained(context.router.retained, context.points.retainedLoading)
    for (const each of this.loaded) {
      const { plugin } = each
      this.started.push(each)
      try {
        await inTime(plugin.started?.(new PluginBroker(each, this.reach, this.states.of(plugin.name))), {
          ms: context.config.plugin_timeout * 1000,
        })
      } catch (error) {
        throw new PluginError(plugin.name, error)
      }
    }
  }

  /** In the order in which they are asked. */
  get facts(): readonly PluginFacts[] {
    return this.loaded.map(({ plugin: { name, version, control }, scope: { listeners } }) => {
      const [only] = listeners?.size === 1 ? listeners : []
      return {
        name,
        ...(version === undefined ? {} : { version }),
        ...(only === undefined ? {} : { port: only.port }),
        'control-endpoints': Object.keys(control ?? {}).map((endpoint) => `$CONTROL/${endpoint}`),
      }
    })
  }

  tick(now: number): void {
    this.deadlines.tick(now)
    this.reach.context.points.tick?.(now)
  }

  /** Ends them, the last first. */
  async stop(): Promise<void> {
    this.deadlines.close()
    const started = this.started.splice(0).reverse()
    await Promise.all(
      started.map(async (each) => {
        try {
          await each.plugin.stopped?.()
        } catch (error) {
          each.failed('stopped', error)
        }
      }),
    )
  }
}

const FAILED = Symbol('failed')

/** What `call` comes to. @throws ControlError when it fails, now or later; whoever asked does not hear why. */
function carriedOut<T>(by: LoadedPlugin, point: string, call: () => Soon<T>): Soon<T> {
  return andThen(by.guardAsync<T | typeof FAILED>(point, call, FAILED), (result) => {
    if (result === FAILED) throw new ControlError('Internal error')
    return result
  })
}

/** Nothing else looks at the time while a broker starts. */
async function inTime(answer: void | Promise<void>, { ms }: { readonly ms: number }): Promise<void> {
  if (!isPromise(answer)) return
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`started takes longer than ${ms / 1000} s`)), ms)
  })
  await Promise.race([answer, late]).finally(() => clearTimeout(timer))
}
