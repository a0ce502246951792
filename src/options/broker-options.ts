// TABLE: the directives that hold for the whole broker, in three parts, and those that load plugins. The defaults are those of
// Mosquitto 2.1 unless the row says why not. Directives of listeners and bridges have tables of their own.
import { accessOptions } from './access-options.js'
import { limitOptions } from './limit-options.js'
import type { Directive, ValuesOf } from './option.js'
import { processOptions } from './process-options.js'

export const brokerOptions = [
  ...accessOptions,
  ...limitOptions,
  ...processOptions,
] as const satisfies readonly Directive[]

/** The values of the global directives, by name. */
export type BrokerValues = ValuesOf<typeof brokerOptions>

type ScopedToListener<R> = R extends { scope: 'global or listener'; name: infer N } ? N : never

/** Global directives that belong to the listener with `per_listener_settings true`. */
export type PerListenerName = ScopedToListener<(typeof brokerOptions)[number]>

export const pluginOptions = [
  {
    name: 'plugin',
    kind: 'structure',
    scope: 'global or listener',
    reload: 'no',
    repeatable: true,
    legacyAliases: ['auth_plugin'],
    help: 'Plugin to load: the path of a module, from the folder of this file on, or the name of a package; the lines with plugin_opt_ below belong to it.',
  },
  {
    name: 'global_plugin',
    kind: 'structure',
    scope: 'global',
    reload: 'no',
    repeatable: true,
    help: 'Plugin for all listeners, whatever per_listener_settings says.',
  },
  {
    name: 'plugin_load',
    kind: 'structure',
    scope: 'global',
    reload: 'no',
    repeatable: true,
    help: 'NAME and PATH of a plugin to be used with plugin_use.',
  },
  {
    name: 'plugin_use',
    kind: 'structure',
    scope: 'after explicit listener',
    reload: 'no',
    repeatable: true,
    help: 'Use the plugin that plugin_load has given this name.',
  },
  {
    name: 'plugin_opt_',
    kind: 'string',
    scope: 'plugin',
    reload: 'no',
    prefix: true,
    legacyAliases: ['auth_opt_'],
    help: 'Option of the plugin above, under the rest of the name.',
  },
  {
    name: 'auth_plugin_deny_special_chars',
    kind: 'boolean',
    scope: 'plugin',
    default: true,
    reload: 'no',
    help: 'The plugin is not asked about the rights of user names and client ids that contain + # or /: they have none.',
  },
] as const satisfies readonly Directive[]
