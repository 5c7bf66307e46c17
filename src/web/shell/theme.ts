/** Light, dark, or as the system has it. */
import { useEffect, useState } from 'react';

export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

const name = 'turnkeep.theme';

export function useTheme(): readonly [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState<Theme>(() => themes.find((each) => each === localStorage.getItem(name)) ?? 'system');
  useEffect(() => {
    localStorage.setItem(name, theme);
    // The stylesheet goes by the system where nothing is said.
    if (theme === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
  }, [theme]);
  return [theme, setTheme];
}
