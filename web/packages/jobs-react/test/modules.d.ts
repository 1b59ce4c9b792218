declare module 'seed-examples:create-a-job' {
  export function MyComponent(): import('react').JSX.Element;
}

declare module 'seed-examples:display-progress' {
  export default function App(): import('react').JSX.Element;
}
