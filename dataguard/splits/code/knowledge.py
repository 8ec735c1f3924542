"""What library calls do with data: what is fitted, what is computed over rows, what splits, trains and scores.

Kept by last names, as ``StandardScaler``: code imports them in many ways, and a name tells more than a path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum


class Kind(Enum):
    """What was fitted. The value is how a report calls it."""

    SCALER = "scaling"
    IMPUTER = "imputation"
    PROJECTION = "projection"
    VOCABULARY = "vocabulary"
    BINNING = "binning"
    CLUSTERING = "clustering"
    STATISTIC = "statistic"
    SELECTION = "feature selection"
    TARGET = "target encoding"
    MODEL = "model"
    PIPELINE = "pipeline"
    CODES = "category codes"
    OVERSAMPLING = "oversampling"
    AUGMENTATION = "augmentation"


SUPERVISED = frozenset({Kind.SELECTION, Kind.TARGET, Kind.MODEL})
"""Fits that carry what the labels of held-out samples are."""
COPYING = frozenset({Kind.OVERSAMPLING, Kind.AUGMENTATION})
"""Fits that write one sample into several rows."""
HARMLESS = frozenset({Kind.CODES})
"""Fits that tell little: which categories occur."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TRANSFORMERS: Mapping[Kind, str] = {
    Kind.SCALER: "StandardScaler MinMaxScaler MaxAbsScaler RobustScaler QuantileTransformer PowerTransformer "
    "KernelCenterer SplineTransformer Normalization Scaler NDStandardScaler GaussRankScaler "
    "TimeSeriesScalerMeanVariance "
    "TimeSeriesScalerMinMax LogScaler StandardScalerWrapper ImageDataGenerator",
    Kind.IMPUTER: "Imputer SimpleImputer KNNImputer IterativeImputer MissForest MICEImputer CategoricalImputer "
    "MeanMedianImputer SoftImpute IterativeSVD BiScaler MatrixFactorization RandomSampleImputer EndTailImputer",
    Kind.PROJECTION: "PCA IncrementalPCA KernelPCA SparsePCA MiniBatchSparsePCA TruncatedSVD FastICA NMF "
    "LatentDirichletAllocation FactorAnalysis DictionaryLearning MiniBatchDictionaryLearning Isomap "
    "LocallyLinearEmbedding SpectralEmbedding MDS TSNE UMAP RandomTreesEmbedding Nystroem LdaModel LsiModel Word2Vec "
    "Doc2Vec FastText Phrases CCA PLSCanonical AutoEncoder",
    Kind.VOCABULARY: "CountVectorizer TfidfVectorizer TfidfTransformer DictVectorizer Tokenizer TextVectorization "
    "StringLookup IntegerLookup TfidfModel Dictionary BertTokenizerTrainer",
    Kind.BINNING: "KBinsDiscretizer Discretization EqualFrequencyDiscretiser EqualWidthDiscretiser MDLP",
    Kind.CLUSTERING: "KMeans MiniBatchKMeans AgglomerativeClustering DBSCAN OPTICS MeanShift Birch "
    "AffinityPropagation SpectralClustering FeatureAgglomeration GaussianMixture BayesianGaussianMixture KPrototypes "
    "KModes HDBSCAN SpectralBiclustering SpectralCoclustering",
    Kind.SELECTION: "SelectKBest SelectPercentile SelectFpr SelectFdr SelectFwe SelectFromModel RFE RFECV "
    "GenericUnivariateSelect SequentialFeatureSelector Boruta BorutaPy ReliefF LinearDiscriminantAnalysisSelector "
    "NeighborhoodComponentsAnalysis ExhaustiveFeatureSelector",
    Kind.TARGET: "TargetEncoder LeaveOneOutEncoder CatBoostEncoder JamesSteinEncoder MEstimateEncoder WOEEncoder "
    "GLMMEncoder QuantileEncoder WoE MeanEncoder",
    Kind.CODES: "LabelEncoder OrdinalEncoder OneHotEncoder LabelBinarizer MultiLabelBinarizer BinaryEncoder "
    "HashingEncoder CountEncoder FeatureHasher BaseNEncoder CategoricalEncoder HelmertEncoder SumEncoder",
    Kind.OVERSAMPLING: "SMOTE RandomOverSampler ADASYN BorderlineSMOTE SVMSMOTE KMeansSMOTE SMOTENC SMOTEN SMOTEENN "
    "SMOTETomek ROSE Smote",
}
TRANSFORMERS: Mapping[str, Kind] = {name: kind for kind, text in _TRANSFORMERS.items() for name in text.split()}
"""Classes whose ``fit`` learns from the rows that it is given."""
STATELESS = _names(
    "Normalizer Binarizer FunctionTransformer PolynomialFeatures HashingVectorizer AdditiveChi2Sampler "
    "VarianceThreshold GaussianRandomProjection SparseRandomProjection Rescaling CenterCrop ColumnSelector ItemSelector"
)
"""Classes with ``fit`` and ``transform`` that learn nothing, or nothing but a few columns' variance being 0."""
CONTAINERS = _names(
    "Pipeline make_pipeline FeatureUnion make_union ColumnTransformer make_column_transformer DataFrameMapper "
    "TransformedTargetRegressor ImbPipeline"
)
"""Classes made of steps."""
SEARCHES = _names(
    "GridSearchCV RandomizedSearchCV HalvingGridSearchCV HalvingRandomSearchCV BayesSearchCV "
    "TuneSearchCV OptunaSearchCV "
    "TPOTClassifier TPOTRegressor EvolutionaryAlgorithmSearchCV"
)
"""Classes that choose by cross-validation within what they are fitted on."""
CROSS_VALIDATORS = _names(
    "KFold StratifiedKFold GroupKFold StratifiedGroupKFold RepeatedKFold RepeatedStratifiedKFold LeaveOneOut LeavePOut "
    "LeaveOneGroupOut LeavePGroupsOut ShuffleSplit StratifiedShuffleSplit GroupShuffleSplit TimeSeriesSplit "
    "PredefinedSplit MultilabelStratifiedKFold MultilabelStratifiedShuffleSplit IterativeStratification PurgedKFold"
)
"""Classes whose ``split`` gives positions."""
CROSS_VALIDATIONS = _names(
    "cross_val_score cross_validate cross_val_predict learning_curve validation_curve cross_val_score_"
)
"""Functions that split, train and score at once."""
BOOSTER_CV = frozenset({"xgboost.cv", "lightgbm.cv", "catboost.cv"})
SPLIT_FUNCTIONS = _names("train_test_split random_split_frame train_test_apart_stratify iterative_train_test_split")
"""Functions that give a training and a test part of each argument."""
SUBSETS = _names("random_split")
"""Functions that give the parts of one argument."""
STACKED = _names(
    "concat vstack hstack concatenate append row_stack column_stack r_ c_ stack dstack chain ConcatDataset"
)
"""Functions that put values together."""

MODEL_WORDS = (
    "Classifier",
    "Regressor",
    "Regression",
    "SVC",
    "SVR",
    "SVM",
    "NB",
    "Ridge",
    "Lasso",
    "ElasticNet",
    "RidgeCV",
    "LassoCV",
    "ElasticNetCV",
    "LogisticRegressionCV",
    "Perceptron",
    "LinearDiscriminantAnalysis",
    "QuadraticDiscriminantAnalysis",
    "GaussianProcess",
    "Sequential",
    "Model",
    "Lars",
    "LarsCV",
    "LassoLars",
    "LassoLarsCV",
    "LassoLarsIC",
    "CatBoost",
    "XGBRFClassifier",
    "OneVsRestClassifier",
    "KernelRidge",
    "BayesianRidge",
    "ARDRegression",
    "HuberRegressor",
    "NearestCentroid",
    "LabelPropagation",
    "LabelSpreading",
    "IsolationForest",
    "OneClassSVM",
    "CalibratedClassifierCV",
    "Learner",
    "KerasModel",
    "Booster",
    "ARIMA",
    "Prophet",
    "OLS",
    "Logit",
    "GLM",
    "TabNet",
    "LdaMulticore",
)
MODEL_FUNCTIONS = _names("XGBClassifier XGBRegressor LGBMClassifier LGBMRegressor clone load_model")
OLS_FUNCTIONS = _names("OLS Logit GLM WLS GLS Probit MNLogit Poisson ols logit")

REDUCTIONS: Mapping[str, Kind] = dict.fromkeys(
    [
        "mean",
        "median",
        "mode",
        "std",
        "var",
        "min",
        "max",
        "quantile",
        "sum",
        "prod",
        "nanmean",
        "nanmedian",
        "nanstd",
        "nanvar",
        "nanmin",
        "nanmax",
        "average",
        "amin",
        "amax",
        "percentile",
        "nanpercentile",
        "nanquantile",
        "ptp",
        "skew",
        "kurt",
        "kurtosis",
        "sem",
        "mad",
        "describe",
        "agg",
        "aggregate",
        "idxmax",
        "idxmin",
        "cov",
        "nlargest",
        "nsmallest",
        "iqr",
        "trim_mean",
        "gmean",
        "hmean",
        "zmap",
        "moments",
        "reduce_mean",
        "reduce_std",
        "reduce_max",
        "reduce_min",
        "std_mean",
    ],
    Kind.STATISTIC,
) | dict.fromkeys(["value_counts"], Kind.STATISTIC)
"""Methods and functions whose result is computed over rows."""
ASSOCIATIONS = _names(
    "corr corrwith corrcoef cov spearmanr pearsonr f_classif f_regression chi2 mutual_info_classif "
    "mutual_info_regression mutual_info_score feature_importances_ coef_ pvalues_ scores_ ranking_ support_ "
    "variance_inflation_factor permutation_importance f_oneway get_score feature_importance"
)
"""Reductions whose result says which columns to keep."""
OVER_ROWS: Mapping[str, Kind] = {
    "zscore": Kind.SCALER,
    "scale": Kind.SCALER,
    "minmax_scale": Kind.SCALER,
    "maxabs_scale": Kind.SCALER,
    "robust_scale": Kind.SCALER,
    "quantile_transform": Kind.SCALER,
    "power_transform": Kind.SCALER,
    "boxcox": Kind.SCALER,
    "yeojohnson": Kind.SCALER,
    "rankdata": Kind.SCALER,
    "qcut": Kind.BINNING,
    "winsorize": Kind.SCALER,
    "equalize_hist": Kind.STATISTIC,
    "whiten": Kind.SCALER,
    "knnImputation": Kind.IMPUTER,
}
"""Functions that change every row by what they computed over all."""
METHODS_OVER_ROWS: Mapping[str, Kind] = {
    "interpolate": Kind.IMPUTER,
    "rank": Kind.SCALER,
}
"""Methods of frames and arrays that change every row by what they computed over all."""
CODE_FUNCTIONS = _names("get_dummies factorize to_categorical unique nunique unique_labels")
"""Functions that number the categories that occur."""
NEUTRAL = _names(
    "shape size ndim columns dtypes dtype name names __class__ __name__ feature_names target_names is_unique "
    "itemsize nbytes flags classes_ n_features_ n_features_in_ keys info nrows n_rows ncols"
)
"""Attributes and methods that say nothing of the rows' content."""
QUIET = _names(
    "print len type id isinstance display hasattr callable repr print_ plot hist scatter show figure subplots bar "
    "barplot boxplot heatmap distplot countplot pairplot jointplot violinplot lineplot "
    "scatterplot regplot lmplot catplot "
    "factorplot kdeplot histplot displot stripplot swarmplot pointplot imshow savefig legend "
    "xlabel ylabel title tight_layout "
    "to_csv to_pickle to_excel dump savetxt save to_parquet to_hdf to_json to_feather info "
    "summary plot_model seed set_option "
    "filterwarnings sleep time now close makedirs mkdir listdir"
)
"""Functions whose result is no data."""
SCORERS = _names(
    "accuracy_score average_precision_score balanced_accuracy_score brier_score_loss classification_report "
    "cohen_kappa_score confusion_matrix f1_score fbeta_score hamming_loss hinge_loss jaccard_score log_loss "
    "matthews_corrcoef precision_recall_curve precision_recall_fscore_support precision_score "
    "recall_score roc_auc_score "
    "roc_curve auc zero_one_loss explained_variance_score max_error mean_absolute_error mean_squared_error "
    "mean_squared_log_error median_absolute_error r2_score mean_absolute_percentage_error"
)
"""Functions that hold predictions against labels."""
READERS = _names(
    "read_csv read_table read_excel read_json read_pickle read_parquet read_hdf read_sql read_sql_query read_feather "
    "read_html read_stata read_sas read_fwf load loadtxt genfromtxt loadmat fromfile load_dataset fetch_openml "
    "fetch_20newsgroups fetch_california_housing fetch_olivetti_faces fetch_lfw_people "
    "load_iris load_boston load_digits "
    "load_wine load_breast_cancer load_diabetes make_classification make_regression make_blobs make_moons make_circles "
    "load_svmlight_file load_files load_data imread ImageFolder image_dataset_from_directory read_clipboard read_gbq"
)
"""Functions that bring new rows."""
FITS = _names(
    "fit fit_transform fit_predict fit_resample fit_sample fit_generator partial_fit train_on_batch fit_on_texts "
    "fit_on_sequences adapt build_vocab fit_one_cycle train fit_transform_ fit_apply learn"
)
SCORES = _names("score evaluate evaluate_generator test_on_batch")
PREDICTS = _names(
    "predict predict_proba predict_classes predict_log_proba decision_function predict_generator "
    "predict_on_batch staged_predict predict_proba_ predict_general"
)
APPLIES = _names("transform texts_to_sequences texts_to_matrix sequences_to_matrix inverse_transform doc2bow doc2idx")
CONTAINER_FUNCTIONS = _names("zip enumerate list tuple sorted reversed set dict iter shuffle tqdm ")
"""Built-in functions that give their argument's elements in another container."""
KEEPING = _names(
    "copy astype reset_index set_index dropna drop_duplicates rename sort_values head tail sort_index "
    "select_dtypes to_frame reindex numpy toarray todense to_numpy cuda to shift diff pct_change batch "
    "shuffle repeat prefetch cache float view reshape ravel flatten squeeze tolist query "
)
"""Methods whose result holds the same rows and columns, as far as fits are concerned."""
WITHIN_GROUPS = _names(
    "cumcount shift diff ffill bfill cumsum cummax ngroup head tail nth first last rolling pct_change "
)
"""Methods of groups that look at neighbouring rows only."""
FITTED_WHEN_MADE = _names("Normalization Dictionary Word2Vec Doc2Vec FastText LdaModel LsiModel TfidfModel Phrases ")
"""Classes that are fitted to the data that they are made with."""
CONVERSIONS = _names("from_pandas asarray array from_numpy tensor hstack where csr_matrix DMatrix ")
"""Functions that give their argument in another form, columns and all."""
TORCH_MODULES = _names("Module LightningModule Model")
ROWWISE_AXES = frozenset({1, "columns", -1})


def last(name: str) -> str:
    """The last part of a dotted name."""
    return name.rpartition(".")[2]


def transformer_kind(name: str) -> Kind | None:
    """What a class fits; None where it is no transformer that is known."""
    return TRANSFORMERS.get(last(name))


def is_model(name: str) -> bool:
    """Whether a class's name is that of something that predicts labels."""
    word = last(name)
    return word in MODEL_FUNCTIONS or word.endswith(MODEL_WORDS)


def strongest(kinds: Iterable[Kind]) -> Kind | None:
    """Of the kinds that a pipeline's steps fit, the one that tells most; None where no step fits anything."""
    order = [Kind.TARGET, Kind.SELECTION, *(kind for kind in Kind if kind not in (Kind.TARGET, Kind.SELECTION))]
    found = set(kinds)
    return next((kind for kind in order if kind in found), None)
