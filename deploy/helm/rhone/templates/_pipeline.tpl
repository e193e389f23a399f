{{/* Pods of a pipeline, in both modes. */}}

{{- define "rhone.weightsVolume" -}}
{{- if not .Values.weights.persistent }}
- name: weights
  emptyDir: { sizeLimit: {{ .Values.weights.size }} }
{{- end }}
{{- end -}}

{{- define "rhone.weightsClaim" -}}
{{- if .Values.weights.persistent }}
volumeClaimTemplates:
  - metadata:
      name: weights
    spec:
      accessModes: [ReadWriteOnce]
      {{- with .Values.weights.storageClassName }}
      storageClassName: {{ . }}
      {{- end }}
      resources: { requests: { storage: {{ .Values.weights.size }} } }
# They can be fetched again.
persistentVolumeClaimRetentionPolicy: { whenDeleted: Delete, whenScaled: Delete }
{{- end }}
{{- end -}}

{{- define "rhone.modelVolume" -}}
{{- with .Values.model }}
- name: model
  persistentVolumeClaim: { claimName: {{ .claim.name }}, readOnly: {{ .claim.shared }} }
{{- end }}
{{- end -}}

{{/* (list $ (dict of labels)) */}}
{{- define "rhone.coordinatorPod" -}}
{{- $root := index . 0 -}}
{{- $values := $root.Values -}}
metadata:
  labels: {{- include "rhone.labels" (list $root "coordinator") | nindent 4 }}
    {{- with mergeOverwrite (dict) (index . 1) $values.coordinator.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $values.coordinator.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- include "rhone.podHead" (list $root $values.coordinator) | nindent 2 }}
  {{- include "rhone.topologySpread" (list $root "coordinator") | nindent 2 }}
  {{- include "rhone.podSecurity" $values.podSecurityContext | nindent 2 }}
  # It gives its jobs back at once; 20 s are the most that any process takes to end.
  terminationGracePeriodSeconds: 30
  {{- if or (eq $values.tls.mode "authority") (eq $values.model.source "pull") }}
  initContainers:
    {{- include "rhone.identityContainer" (dict "root" $root "role" "coordinator") | indent 4 }}
    {{- if eq $values.model.source "pull" }}
    - name: pull
      {{- include "rhone.imageLines" $root | nindent 6 }}
      args: [model, pull, {{ $values.model.pull.name | quote }}, --data-dir, /weights/pulled]
      env:
        {{- with $values.model.pull.endpoint }}
        - name: HF_ENDPOINT
          value: {{ . | quote }}
        {{- end }}
        {{- with $values.model.pull.existingSecret }}
        - name: HF_TOKEN
          valueFrom: { secretKeyRef: { name: {{ . }}, key: HF_TOKEN } }
        {{- end }}
        - name: RHONE_HOME
          value: /weights/pulled
      resources: {{- toYaml $values.coordinator.resources | nindent 8 }}
      {{- include "rhone.containerSecurity" $root | nindent 6 }}
      volumeMounts:
        - { name: weights, mountPath: /weights }
        - { name: tmp, mountPath: /tmp }
    {{- end }}
  {{- end }}
  containers:
    - name: coordinator
      {{- include "rhone.imageLines" $root | nindent 6 }}
      args: [coordinator]
      env:
        {{- include "rhone.processEnv" $root | nindent 8 }}
        {{- include "rhone.redisEnv" $root | nindent 8 }}
        {{- include "rhone.metricsTokenEnv" $root | indent 8 }}
        {{- include "rhone.tracingEnv" $root | indent 8 }}
        - name: RHONE_COORDINATOR_PORT
          value: "7100"
        - name: RHONE_OPS_PORT
          value: "7101"
        - name: RHONE_MODEL_NAME
          value: {{ $values.model.name | quote }}
        - name: RHONE_MODEL_PATH
          value: {{ include "rhone.modelPath" (list $root "coordinator") | quote }}
        - name: RHONE_WORKERS
          value: {{ $values.pipelines.workers | quote }}
        - name: RHONE_SPARES
          value: {{ $values.pipelines.spareShards | quote }}
        {{- with $values.coordinator.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - { name: grpc, containerPort: 7100 }
        - { name: ops, containerPort: 7101 }
      {{- include "rhone.probes" (list $root "ops") | nindent 6 }}
      resources: {{- toYaml $values.coordinator.resources | nindent 8 }}
      {{- include "rhone.containerSecurity" $root | nindent 6 }}
      volumeMounts:
        - { name: weights, mountPath: /weights }
        - { name: tmp, mountPath: /tmp }
        {{- include "rhone.identityMounts" $root | indent 8 }}
        {{- include "rhone.redisMounts" $root | indent 8 }}
        {{- include "rhone.metricsTokenMounts" $root | indent 8 }}
        {{- include "rhone.tracingMounts" $root | indent 8 }}
        {{- if eq $values.model.source "claim" }}
        - { name: model, mountPath: /models, readOnly: true }
        {{- end }}
  volumes:
    {{- include "rhone.tmpVolume" $root | nindent 4 }}
    {{- include "rhone.weightsVolume" $root | indent 4 }}
    {{- include "rhone.identityVolumes" (dict "root" $root "role" "coordinator" "group" $values.podSecurityContext.fsGroup) | indent 4 }}
    {{- include "rhone.redisVolumes" $root | indent 4 }}
    {{- include "rhone.metricsTokenVolumes" $root | indent 4 }}
    {{- include "rhone.tracingVolumes" $root | indent 4 }}
    {{- if eq $values.model.source "claim" }}
    {{- include "rhone.modelVolume" $root | indent 4 }}
    {{- end }}
{{- end -}}

{{/* (list $ (dict of labels) "address of the coordinator") */}}
{{- define "rhone.workerPod" -}}
{{- $root := index . 0 -}}
{{- $values := $root.Values -}}
{{- $hasModel := and (eq $values.model.source "claim") $values.model.claim.shared -}}
metadata:
  labels: {{- include "rhone.labels" (list $root "worker") | nindent 4 }}
    {{- with mergeOverwrite (dict) (index . 1) $values.worker.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $values.worker.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- include "rhone.podHead" (list $root $values.worker) | nindent 2 }}
  {{- include "rhone.topologySpread" (list $root "worker") | nindent 2 }}
  {{- include "rhone.podSecurity" $values.podSecurityContext | nindent 2 }}
  # Longer than others take to load its layers.
  terminationGracePeriodSeconds: {{ add $values.worker.leaveSeconds 30 }}
  {{- if eq $values.tls.mode "authority" }}
  initContainers:
    {{- include "rhone.identityContainer" (dict "root" $root "role" "worker") | indent 4 }}
  {{- end }}
  containers:
    - name: shard-worker
      {{- include "rhone.imageLines" $root | nindent 6 }}
      args: [shard-worker]
      env:
        {{- include "rhone.processEnv" $root | nindent 8 }}
        {{- include "rhone.metricsTokenEnv" $root | indent 8 }}
        - name: RHONE_COORDINATOR
          value: {{ index . 2 | quote }}
        - name: RHONE_WORKER_PORT
          value: "7200"
        - name: RHONE_OPS_PORT
          value: "7201"
        - name: RHONE_DEVICE
          value: {{ $values.worker.device | quote }}
        - name: RHONE_LEAVE_TIMEOUT
          value: {{ $values.worker.leaveSeconds | quote }}
        {{- with $values.worker.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - { name: grpc, containerPort: 7200 }
        - { name: ops, containerPort: 7201 }
      {{- include "rhone.probes" (list $root "ops") | nindent 6 }}
      resources: {{- toYaml $values.worker.resources | nindent 8 }}
      {{- include "rhone.containerSecurity" $root | nindent 6 }}
      volumeMounts:
        - { name: weights, mountPath: /weights }
        - { name: tmp, mountPath: /tmp }
        {{- include "rhone.identityMounts" $root | indent 8 }}
        {{- include "rhone.metricsTokenMounts" $root | indent 8 }}
        {{- if $hasModel }}
        - { name: model, mountPath: /models, readOnly: true }
        {{- end }}
  volumes:
    {{- include "rhone.tmpVolume" $root | nindent 4 }}
    {{- include "rhone.weightsVolume" $root | indent 4 }}
    {{- include "rhone.identityVolumes" (dict "root" $root "role" "worker" "group" $values.podSecurityContext.fsGroup) | indent 4 }}
    {{- include "rhone.metricsTokenVolumes" $root | indent 4 }}
    {{- if $hasModel }}
    {{- include "rhone.modelVolume" $root | indent 4 }}
    {{- end }}
{{- end -}}
