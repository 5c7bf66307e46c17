/** The frame: where one is, what else there is, and keys that work everywhere. */
import { lazy, type ReactNode, Suspense, useEffect, useMemo, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { GatewayProvider, useGateway } from './api/client.tsx';
import { SessionsView } from './conversation/sessions-view.tsx';
import { KeyGate } from './shell/key-gate.tsx';
import { go, to, useRoute } from './shell/route.ts';
import { type Shortcut, useShortcuts } from './shell/shortcuts.ts';
import { TurnPage } from './timeline/turn-panel.tsx';

const TurnsPage = lazy(async () => ({ default: (await import('./turns/turns-page.tsx')).TurnsPage }));

const DiffPage = lazy(async () => ({ default: (await import('./turns/diff-page.tsx')).DiffPage }));
const ShortcutsDialog = lazy(async () => ({ default: (await import('./shell/shortcuts-dialog.tsx')).ShortcutsDialog }));
const FiguresPage = lazy(async () => ({ default: (await import('./figures/figures-page.tsx')).FiguresPage }));

const places = [
  { path: 's', name: 'Sessions' },
  { path: 'turns', name: 'Turns' },
  { path: 'figures', name: 'Figures' },
] as const;

function App(): ReactNode {
  const { keyState } = useGateway();
  const [theme, setTheme] = useTheme();
  if (keyState !== 'fine') return <KeyGate />;
  return <Frame theme={theme} setTheme={setTheme} />;
}

function Frame({ theme, setTheme }: { readonly theme: Theme; readonly setTheme: (theme: Theme) => void }): ReactNode {
  const { apiKey, signOut } = useGateway();
  const { parts, query } = useRoute();
  const [isHelpOpen, setHelpOpen] = useState(false);
  const [place = 's', id] = parts;
  const shortcuts = useMemo<readonly Shortcut[]>(
    () => [
      { key: '?', what: 'this list', act: () => setHelpOpen(true) },
      { key: 'n', what: 'begin a new session', act: () => go(to(['s'])) },
      { key: '/', what: 'search the sessions', act: () => focusOn('search') },
      { key: 'c', what: 'write a message', act: () => focusOn('message') },
      { key: 's', what: 'go to the sessions', act: () => focusOn('sessions') },
      { key: 't', what: 'go to the table of turns', act: () => go(to(['turns'])) },
      { key: 'f', what: 'go to the figures', act: () => go(to(['figures'])) },
      { key: 'd', what: 'change between light, dark and the system’s choice', act: () => setTheme(nextTheme(theme)) },
    ],
    [theme, setTheme],
  );
  useShortcuts(shortcuts);
  return (
    <div className="frame">
      <header className="top">
        <a className="skip" href="#main" onClick={(event) => (event.preventDefault(), focusOn('main'))}>
          Skip to the content
        </a>
        <a className="brand" href={to([])}>
          turnkeep
        </a>
        <nav aria-label="Places">
          {places.map(({ path, name }) => (
            <a key={path} href={to([path])} aria-current={place === path ? 'page' : undefined}>
              {name}
            </a>
          ))}
        </nav>
        <div className="tools">
          <label>
            <span className="hidden">Theme</span>
            <select value={theme} onChange={(event) => setTheme(themes.find((each) => each === event.target.value) ?? 'system')}>
              {themes.map((each) => (
                <option key={each} value={each}>
                  {each === 'system' ? 'Auto' : each === 'light' ? 'Light' : 'Dark'}
                </option>
              ))}
            </select>
          </label>
          <button type="button" className="plain" onClick={() => setHelpOpen(true)} aria-label="Keyboard shortcuts">
            ?
          </button>
          {apiKey === undefined ? null : (
            <button type="button" className="plain" onClick={signOut}>
              Forget key
            </button>
          )}
        </div>
      </header>
      <Suspense fallback={<main className="loading" />}>
        {place === 'turns' && id === undefined ? (
          <TurnsPage query={query} />
        ) : place === 'turns' && id !== undefined ? (
          <TurnPage id={id} />
        ) : place === 'diff' ? (
          <DiffPage left={id ?? ''} right={parts[2] ?? ''} />
        ) : place === 'figures' ? (
          <FiguresPage query={query} />
        ) : (
          <SessionsView session={place === 's' ? id : undefined} turn={parts[2] === 't' ? parts[3] : undefined} />
        )}
      </Suspense>
      {isHelpOpen ? (
        <Suspense>
          <ShortcutsDialog onClose={() => setHelpOpen(false)} shortcuts={shortcuts} />
        </Suspense>
      ) : null}
    </div>
  );
}

function nextTheme(theme: Theme): Theme {
  return themes[(themes.indexOf(theme) + 1) % themes.length] ?? 'system';
}

/** Light, dark, or as the system has it. */
const themes = ['system', 'light', 'dark'] as const;
type Theme = (typeof themes)[number];

const themeName = 'turnkeep.theme';

function useTheme(): readonly [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState<Theme>(() => themes.find((each) => each === localStorage.getItem(themeName)) ?? 'system');
  useEffect(() => {
    localStorage.setItem(themeName, theme);
    // The stylesheet goes by the system where nothing is said.
    if (theme === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
  }, [theme]);
  return [theme, setTheme];
}

/** By the `data-focus` of an element. */
function focusOn(name: string): void {
  document.querySelector<HTMLElement>(`[data-focus="${name}"]`)?.focus();
}

const root = document.getElementById('root');
if (root !== null) {
  createRoot(root).render(
    <GatewayProvider>
      <App />
    </GatewayProvider>,
  );
}
