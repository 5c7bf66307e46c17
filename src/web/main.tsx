import { createRoot } from 'react-dom/client';
import { GatewayProvider } from './api/client.tsx';
import { App } from './app.tsx';

const root = document.getElementById('root');
if (root !== null) {
  createRoot(root).render(
    <GatewayProvider>
      <App />
    </GatewayProvider>,
  );
}
